import t, { type Test } from 'tap'
import { injectionLabel, sidecarContainer } from '../../shared/names.ts'
import { makeServiceAccount, nodeContainer, pod, restrictedPod } from './support/apps.ts'
import { apply, get, kubectl, makeNamespace, tryApply } from './support/kubectl.ts'
import { beside, install, render, writeSelfManaged } from './support/own-installation.ts'
import { logHas, readyPod, readyPods, type Pod } from './support/pods.ts'
import { untilReachable } from './support/reachable.ts'
import { eventually } from './support/eventually.ts'
import { makeTeam } from './support/fixture.ts'

const system = 'platform-silence'

/** Passes on what comes to port 6443. At SIGUSR2 it goes silent: all is taken and nothing passed on. At the next one every connection breaks. */
const passOn = `let silent = false
const open = new Set()
require('node:net').createServer((from) => {
  const to = require('node:net').connect(443, process.env.TARGET)
  const end = () => { open.delete(end); from.destroy(); to.destroy() }
  open.add(end)
  for (const [one, other] of [[from, to], [to, from]])
    one.on('data', (chunk) => silent || other.write(chunk)).on('error', end).on('close', end)
}).listen(6443)
process.on('SIGUSR2', () => {
  silent = !silent
  console.log(silent ? 'silent' : 'passing on')
  if (!silent) for (const end of open) end()
})`

/** The proxy between the webhook and the API server. */
async function startNetwork(t: Test) {
  const namespace = await makeNamespace(t, { [injectionLabel]: 'disabled' })
  const { spec } = await get<{ metadata: object; spec: { clusterIP: string } }>('default', 'service', 'kubernetes')
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'network', namespace },
    spec: {
      terminationGracePeriodSeconds: 1,
      securityContext: { ...restrictedPod, runAsUser: 65532 },
      containers: [
        nodeContainer('network', ['-e', passOn], 6443, { env: [{ name: 'TARGET', value: spec.clusterIP }] }),
      ],
    },
  })
  const { status } = (await readyPod(namespace, 'network')) as Pod & { status: { podIP: string } }
  const toggle = async (said: string): Promise<void> => {
    await kubectl(['exec', '-n', namespace, 'network', '--', '/nodejs/bin/node', '-e', "process.kill(1, 'SIGUSR2')"])
    await logHas(namespace, 'network', 'network', said)
  }
  return { address: status.podIP, toggle }
}

void t.test(
  'unresponsive API server: cached objects are used, other reviews are denied in time, and the caches catch up',
  async (t) => {
    const network = await startNetwork(t)
    // The API server's certificate has this name.
    const host = 'kubernetes.default.svc'
    const folder = writeSelfManaged(
      'e2e-silence',
      system,
      `patches:
  - target: {kind: Deployment}
    patch: |-
      - {op: add, path: /spec/template/spec/hostAliases, value: [{ip: ${network.address}, hostnames: [${host}]}]}
`,
    )
    await install(
      t,
      beside(await render(folder), 'silence', {
        DRAIN_SECONDS: '1',
        KUBERNETES_SERVICE_HOST: host,
        KUBERNETES_SERVICE_PORT: '6443',
      }),
    )
    await untilReachable(t, system, 'silence')
    const team = await makeTeam(t, { [injectionLabel]: 'silence' })
    const ask = async (serviceAccountName = 'app') => {
      const asking = pod(team, 'app', {
        annotations: { vault: 'my-kv', objects: 'x' },
        containers: [{ name: 'app', script: 'true' }],
        spec: { serviceAccountName },
      })
      const began = Date.now()
      const { code, stdout, stderr } = await tryApply([asking], '--dry-run=server', '-o', 'json')
      const init = code === 0 ? (JSON.parse(stdout) as Pod).spec.initContainers : []
      const env = init?.find(({ name }) => name === sidecarContainer)?.env
      return { stderr, client: env?.find(({ name }) => name === 'AZURE_CLIENT_ID')?.value, took: Date.now() - began }
    }
    const [before, after] = ['22222222-2222-2222-2222-222222222222', '33333333-3333-3333-3333-333333333333']
    await eventually('the ServiceAccount is known', async () => (await ask()).client === before)

    await network.toggle('silent')
    await makeServiceAccount(team, 'app', after)
    await makeServiceAccount(team, 'late')
    t.equal((await ask()).client, before, 'answered with what was known')
    const late = await ask('late')
    t.match(
      late.stderr,
      /the API server did not answer akv-injector in time \(GET \/api\/v1\/namespaces\/.*\/serviceaccounts\/late\)/,
    )
    t.ok(
      late.took < 11_000,
      `refused within five seconds of the webhook, five of its standby, and kubectl's own: ${late.took} ms`,
    )
    await readyPods(system, 'app.kubernetes.io/name=akv-injector', 2)

    await network.toggle('passing on')
    await eventually('what has changed meanwhile is known', async () => (await ask()).client === after, { seconds: 90 })
    t.equal((await ask('late')).client, before)
  },
)
