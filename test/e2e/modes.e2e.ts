import t from 'tap'
import { initContainer, sidecarContainer } from '../../shared/names.ts'
import { podTemplate, reloading } from './support/apps.ts'
import { apply, kubectl, logs } from './support/kubectl.ts'
import { logHas, readyPods, statusOf } from './support/pods.ts'
import { makeFixture } from './support/fixture.ts'

const annotations = { objects: 'db-password', 'poll-interval': '2s', signal: 'SIGHUP' }
const app = { name: 'app', script: reloading('echo start: $(cat /mnt/secrets/db-password)') }
const selector = { matchLabels: { app: 'web' } }

void t.test('modes: classic has an init container before the app and a sidecar beside it', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(
    t,
    { 'db-password': 'one' },
    { 'pod-security.kubernetes.io/enforce': 'restricted' },
  )
  const template = podTemplate({
    annotations: { vault, ...annotations, mode: 'classic' },
    labels: selector.matchLabels,
    containers: [app],
  })
  await apply({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web', namespace },
    spec: { serviceName: 'web', selector, template },
  })
  const [pod] = await readyPods(namespace, 'app=web', 1)
  t.strictSame(
    pod!.spec.initContainers?.map(({ name }) => name),
    [initContainer],
  )
  t.strictSame(
    pod!.spec.containers.map(({ name }) => name),
    ['app', sidecarContainer],
  )
  await logHas(namespace, 'web-0', 'app', 'start: one')
  await emulator.setSecret(vault, 'db-password', 'two')
  await logHas(namespace, 'web-0', 'app', 'reloaded: two')
})

void t.test(
  'modes: on the host network the sidecar is probed through a socket and listens on no address',
  async (t) => {
    const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'one' })
    const template = podTemplate({
      annotations: { vault, ...annotations },
      labels: selector.matchLabels,
      containers: [app],
      spec: { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
    })
    await apply({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'web', namespace },
      spec: { selector, template },
    })
    const [pod] = await readyPods(namespace, 'app=web', 1)
    const { name } = pod!.metadata
    await logHas(namespace, name, 'app', 'start: one')
    await emulator.setSecret(vault, 'db-password', 'two')
    await logHas(namespace, name, 'app', 'reloaded: two')
    // Each row that is LISTEN (0A) with its port in hexadecimal digits: 20471 is 4FF7.
    const listening = await kubectl([
      'exec',
      '-n',
      namespace,
      name,
      '-c',
      'app',
      '--',
      'sh',
      '-c',
      'cat /proc/net/tcp /proc/net/tcp6 | awk \'$4 == "0A" {print $2}\'',
    ])
    t.match(listening, /:[0-9A-F]{4}\n/, "the node's own are seen")
    t.notMatch(listening, ':4FF7')
    t.equal(statusOf(pod!, sidecarContainer)?.restartCount, 0)
    t.match(await logs(namespace, name, sidecarContainer), 'delivered')
  },
)
