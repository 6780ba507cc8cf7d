import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { reloading } from './support/apps.ts'
import { logs, tryKubectl } from './support/kubectl.ts'
import { getPod, logHas, statusOf } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeNotifiedPod } from './support/notifications.ts'

const app = { name: 'app', script: reloading('echo $$ > /tmp/pid') }

void t.test('signal target: of two containers only the named one gets the signal', async (t) => {
  const { namespace, rotate, delivered } = await makeNotifiedPod(t, {
    annotations: { 'signal-container': 'app' },
    containers: [{ name: 'other', script: reloading('') }, app],
  })
  for (const name of ['app', 'other']) await logHas(namespace, 'app', name, 'running')
  await rotate('two')
  await logHas(namespace, 'app', 'app', 'reloaded: two')
  await delivered()
  t.notMatch(await logs(namespace, 'app', 'other'), 'reloaded')
  t.equal(statusOf(await getPod(namespace, 'app'), 'other')?.restartCount, 0)
})

void t.test('signal target: an app behind a shell gets the signal by its process name', async (t) => {
  const { namespace, rotate } = await makeNotifiedPod(t, {
    annotations: { 'signal-process': 'reloader' },
    objects: (namespace) => [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'scripts', namespace },
        data: { reloader: `#!/bin/sh\n${reloading('')}\n` },
      },
    ],
    containers: [
      {
        name: 'app',
        script: 'trap "echo wrapper: wrong process" HUP; /scripts/reloader & while :; do wait; done',
        volumeMounts: [{ name: 'scripts', mountPath: '/scripts' }],
      },
    ],
    spec: { volumes: [{ name: 'scripts', configMap: { name: 'scripts', defaultMode: 0o755 } }] },
  })
  await logHas(namespace, 'app', 'app', 'running')
  await rotate('two')
  t.notMatch(await logHas(namespace, 'app', 'app', 'reloaded: two'), 'wrong process')
})

void t.test('signal target: a signal that is due while the sidecar is killed still arrives', async (t) => {
  const { namespace, rotate, exec } = await makeNotifiedPod(t, { annotations: { splay: '30s' }, containers: [app] })
  await logHas(namespace, 'app', 'app', 'running')
  // The delay is random: if it was too short for the kill to come before the signal, another rotation is needed.
  const isTold = async (value: string): Promise<boolean> =>
    (await logs(namespace, 'app', 'app')).includes(`reloaded: ${value}`)
  let value = ''
  for (const next of ['two', 'three', 'four', 'five']) {
    value = next
    await rotate(value)
    await eventually(
      `${value} is in the file`,
      async () => (await exec('app', 'cat', '/mnt/secrets/db-password')) === value,
    )
    if (await isTold(value)) continue
    await tryKubectl([
      'exec',
      '-n',
      namespace,
      'app',
      '-c',
      sidecarContainer,
      '--',
      '/nodejs/bin/node',
      '-e',
      killSidecar,
    ])
    if (!(await isTold(value))) break
  }
  await eventually('the sidecar was restarted', async () => {
    const status = statusOf(await getPod(namespace, 'app'), sidecarContainer)
    return (status?.restartCount ?? 0) > 0 && status?.ready
  })
  await logHas(namespace, 'app', 'app', `reloaded: ${value}`, 60)
})

void t.test('signal target: an app that is down during a rotation gets one signal when it is back', async (t) => {
  const { namespace, rotate, exec } = await makeNotifiedPod(t, { containers: [app] })
  await logHas(namespace, 'app', 'app', 'running')
  const status = async () => statusOf(await getPod(namespace, 'app'), 'app')
  const kill = () => exec('app', 'sh', '-c', 'kill -9 $(cat /tmp/pid)')
  // The kubelet waits before the second restart, so a rotation fits in between.
  await kill().catch(() => {})
  await eventually('the app is back', async () => {
    const { restartCount, state } = (await status()) ?? {}
    return restartCount === 1 && state?.running
  })
  await eventually('the app runs', () => exec('app', 'cat', '/tmp/pid'))
  await kill().catch(() => {})
  await eventually('the app is down', async () => (await status())?.state.running === undefined)
  for (const value of ['two', 'three']) await rotate(value)
  await eventually('the app is back again', async () => (await status())?.restartCount === 2, { seconds: 90 })
  const log = await logHas(namespace, 'app', 'app', 'reloaded: three', 90)
  t.equal(log.split('reloaded:').length - 1, 1, 'one signal')
  t.equal(await exec('app', 'cat', '/mnt/secrets/db-password'), 'three')
})

/** Runs a program in the sidecar's container, whose image has no shell. */
const killSidecar = `
for (const pid of require('fs').readdirSync('/proc').filter(Number)) {
  try {
    const [, ...args] = require('fs').readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\\0')
    if (args.includes('/app/sidecar.js')) process.kill(Number(pid), 'SIGKILL')
  } catch {}
}`
