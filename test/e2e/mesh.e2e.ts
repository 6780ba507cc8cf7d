import t, { type Test } from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { listing, pod, restrictedContainer, restrictedPod } from './support/apps.ts'
import { emulatorNamespace } from './support/emulator.ts'
import { get, logs, tryApply } from './support/kubectl.ts'
import { startMesh } from './support/mesh.ts'
import { getPod, logHas, readyPod, statusOf } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture, makeTeam, type Fixture } from './support/fixture.ts'

/** From five seconds after its start it forwards everything on port 443. */
const passOn = `setTimeout(() => require('node:net').createServer((from) => {
  const to = require('node:net').connect(443, process.env.TARGET)
  from.pipe(to).pipe(from)
  from.on('error', () => to.destroy())
  to.on('error', () => from.destroy())
}).listen(443), 5000)`

/**
 * A pod that reaches vault and sign-in through port 443 of its own address alone, on which only a mesh's native proxy listens: as
 * in a network that is closed until the proxy is up.
 */
async function closedPod({ namespace, vault }: Fixture, own = namespace) {
  const { spec } = await get<{ metadata: object; spec: { clusterIP: string } }>(emulatorNamespace, 'service', vault)
  const proxy = {
    name: 'linkerd-proxy',
    image: process.env['E2E_IMAGE'],
    imagePullPolicy: 'IfNotPresent',
    restartPolicy: 'Always',
    args: ['-e', passOn],
    env: [{ name: 'TARGET', value: spec.clusterIP }],
    startupProbe: { tcpSocket: { port: 443 }, periodSeconds: 1, failureThreshold: 60 },
    securityContext: restrictedContainer,
  }
  const asking = pod(own, 'app', {
    annotations: { vault, objects: 'db-password' },
    containers: [{ name: 'app', script: listing }],
    spec: {
      securityContext: { ...restrictedPod, sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
      hostAliases: [
        {
          ip: '127.0.0.1',
          hostnames: [vault, 'login'].map((name) => `${name}.${emulatorNamespace}.svc.cluster.local`),
        },
      ],
    },
  })
  Object.assign(asking.metadata.annotations, { 'mesh.example.com/proxy': JSON.stringify(proxy) })
  return { asking, proxy }
}

/** Returns what happens to such a pod if a later webhook adds the proxy. */
async function applied(t: Test, fixture: Fixture, path: string) {
  const mesh = await startMesh(t)
  const namespace = await makeTeam(t, mesh.labels)
  await mesh.register('z-proxy', path)
  const { asking } = await closedPod(fixture, namespace)
  // The rules of the mesh's Service follow shortly after its pod is ready.
  await eventually('the mesh answers', async () => {
    const { code, stdout } = await tryApply([asking], '--dry-run=server', '-o', 'json')
    return code === 0 && stdout.includes('"name": "linkerd-proxy"')
  })
  return { namespace, ...(await tryApply([asking])) }
}

async function readsThroughProxy(t: Test, namespace: string): Promise<void> {
  const { spec } = await readyPod(namespace, 'app')
  t.strictSame(
    spec.initContainers?.map(({ name }) => name),
    ['linkerd-proxy', sidecarContainer],
  )
  t.match(await logHas(namespace, 'app', 'app', 'listed'), 'db-password the value')
  t.notMatch(await logs(namespace, 'app', sidecarContainer), /ECONNREFUSED/, 'the sidecar began when the proxy was up')
}

void t.test('mesh: the network is closed until the native proxy is up', async (t) => {
  const fixture = await makeFixture(t, { 'db-password': 'the value' })

  await t.test('mesh: a native proxy that was injected before the sidecar works', async (t) => {
    const { asking, proxy } = await closedPod(fixture)
    asking.spec.initContainers.push(proxy)
    t.match(await tryApply([asking]), { code: 0, stderr: '' })
    await readsThroughProxy(t, fixture.namespace)
  })

  await t.test('mesh: a native proxy that a later webhook puts first works', async (t) => {
    const { namespace, code, stderr } = await applied(t, fixture, '/first')
    t.strictSame([code, stderr], [0, ''])
    await readsThroughProxy(t, namespace)
  })

  await t.test('mesh: a native proxy that a later webhook puts behind the sidecar is reported', async (t) => {
    const { namespace, code, stderr } = await applied(t, fixture, '/last')
    t.equal(code, 0)
    t.match(
      stderr,
      /Warning: put linkerd-proxy before the sidecar: it starts after it, so the sidecar cannot reach the vault through it/,
    )
    await logHas(namespace, 'app', sidecarContainer, /ECONNREFUSED/)
    t.match(statusOf(await getPod(namespace, 'app'), 'app')?.state, { waiting: {} }, 'the network is closed indeed')
  })
})
