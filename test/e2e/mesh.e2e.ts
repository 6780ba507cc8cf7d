import t, { type Test } from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { listing, pod, restrictedContainer, restrictedPod } from './support/apps.ts'
import { emulatorNamespace } from './support/emulator.ts'
import { get, logs, tryApply } from './support/kubectl.ts'
import { startMesh } from './support/mesh.ts'
import { getPod, logHas, readyPod, statusOf } from './support/pods.ts'
import { eventually } from './support/process.ts'
import { makeStage, makeTeam, type Stage } from './support/stage.ts'

/** Five seconds after its start it passes on what comes to port 443, without a look. */
const passOn = `setTimeout(() => require('node:net').createServer((from) => {
  const to = require('node:net').connect(443, process.env.TARGET)
  from.pipe(to).pipe(from)
  from.on('error', () => to.destroy())
  to.on('error', () => from.destroy())
}).listen(443), 5000)`

/**
 * A pod that reaches vault and sign-in through port 443 of its own address alone, where nobody listens but a mesh's native proxy: as
 * in a network that is closed until the proxy is up.
 */
async function closedPod({ namespace, vault }: Stage, own = namespace) {
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
      hostAliases: [{ ip: '127.0.0.1', hostnames: [vault, 'login'].map((name) => `${name}.${emulatorNamespace}.svc.cluster.local`) }], // prettier-ignore
    },
  })
  Object.assign(asking.metadata.annotations, { 'mesh.example.com/proxy': JSON.stringify(proxy) })
  return { asking, proxy }
}

/** What becomes of such a pod where a webhook after us adds the proxy. */
async function applied(t: Test, stage: Stage, path: string) {
  const mesh = await startMesh(t)
  const namespace = await makeTeam(t, mesh.labels)
  await mesh.register('z-proxy', path)
  const { asking } = await closedPod(stage, namespace)
  // The rules of the mesh's Service follow a moment after its pod is ready.
  await eventually('the mesh answers', async () => {
    const { code, stdout } = await tryApply([asking], '--dry-run=server', '-o', 'json')
    return code === 0 && stdout.includes('"name": "linkerd-proxy"')
  })
  return { namespace, ...(await tryApply([asking])) }
}

async function readsThroughProxy(t: Test, namespace: string): Promise<void> {
  const { spec } = await readyPod(namespace, 'app')
  t.strictSame(spec.initContainers?.map(({ name }) => name), ['linkerd-proxy', sidecarContainer]) // prettier-ignore
  t.match(await logHas(namespace, 'app', 'app', 'listed'), 'db-password the value')
  t.notMatch(await logs(namespace, 'app', sidecarContainer), /ECONNREFUSED/, 'the sidecar began when the proxy was up')
}

void t.test("the network is closed until a mesh's native proxy is up", async (t) => {
  const stage = await makeStage(t, { 'db-password': 'the value' })

  await t.test('which was there before us', async (t) => {
    const { asking, proxy } = await closedPod(stage)
    asking.spec.initContainers.push(proxy)
    t.match(await tryApply([asking]), { code: 0, stderr: '' })
    await readsThroughProxy(t, stage.namespace)
  })

  await t.test('which a webhook after us puts first', async (t) => {
    const { namespace, code, stderr } = await applied(t, stage, '/first')
    t.strictSame([code, stderr], [0, ''])
    await readsThroughProxy(t, namespace)
  })

  await t.test('which a webhook after us puts behind the sidecar: that is told', async (t) => {
    const { namespace, code, stderr } = await applied(t, stage, '/last')
    t.equal(code, 0)
    t.match(stderr, /Warning: linkerd-proxy starts after the sidecar, which cannot reach the vault through it/)
    await logHas(namespace, 'app', sidecarContainer, /ECONNREFUSED/)
    t.match(statusOf(await getPod(namespace, 'app'), 'app')?.state, { waiting: {} }, 'the network is closed indeed')
  })
})
