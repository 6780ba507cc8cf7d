import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { nodeContainer, pod } from './support/apps.ts'
import { apply, kubectl, list } from './support/kubectl.ts'
import { makeFixture } from './support/fixture.ts'
import { connectSidecar, getPod, readyPod, statusOf, type Pod } from './support/pods.ts'

/** At least two liveness probes, which the kubelet sends every 20 s. */
const seconds = 50

/**
 * Runs in the app's container, in the pod's own network namespace: 10,000 half-open connections a minute from 20 addresses to the
 * sidecar's port, and probes from another one. Prints what came of those.
 */
const attack = `
const [port, seconds] = process.argv.slice(1).map(Number)
const { connect } = require('node:net')
const end = Date.now() + seconds * 1000
let [connections, answered] = [0, 0]
const failures = []
const open = (localAddress) => connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {})
const start = Date.now()
setInterval(() => {
  // As many as are due, because the timer is late on a busy node.
  while (connections < (Date.now() - start) / 6) open('127.0.0.' + (2 + (connections++ % 20)))
}, 30)
setInterval(() => {
  const socket = open('127.0.0.1').setTimeout(5000, () => socket.destroy())
  let answer = ''
  socket.on('data', (data) => (answer += data)).end('GET /livez HTTP/1.1\\r\\nHost: pod\\r\\n\\r\\n')
  socket.on('close', () => (answer.startsWith('HTTP/1.1 200') ? answered++ : failures.push(answer || 'nothing')))
}, 200)
setTimeout(() => {
  console.log(JSON.stringify({ connections, answered, failures }))
  process.exit()
}, seconds * 1000)`

interface Result {
  connections: number
  answered: number
  failures: string[]
}

void t.test('sidecar port: with half-open connections probes succeed, and the pod stays ready', async (t) => {
  const { namespace, vault } = await makeFixture(t, { 'db-password': 'the value' })
  const app = nodeContainer('app', ['-e', 'setInterval(() => {}, 1e6)'], 0, { readinessProbe: undefined })
  const annotations = { vault, objects: 'db-password' }
  await apply(pod(namespace, 'app', { annotations, containers: [], spec: { containers: [app] } }))
  const before = await readyPod(namespace, 'app')
  const port = before.spec.initContainers?.find(({ name }) => name === sidecarContainer)?.startupProbe?.httpGet?.port
  t.type(port, 'number')

  const run = ['exec', '-n', namespace, 'app', '-c', 'app', '--', '/nodejs/bin/node', '-e', attack]
  const { connections, answered, failures } = JSON.parse(
    await kubectl([...run, String(port), String(seconds)]),
  ) as Result
  t.comment(`${connections} connections; ${answered} probes answered, ${failures.length} not`)
  t.ok(connections > 8_000, `${connections} connections in ${seconds} s`)
  t.strictSame(failures, [], 'no probe from inside the pod fails')
  t.ok(answered > 100, `${answered} are answered`)

  const after = await getPod(namespace, 'app')
  const readiness = ({ status }: Pod) => status.conditions?.find(({ type }) => type === 'Ready')
  t.strictSame(readiness(after), readiness(before), 'ready, and never was not')
  t.equal(statusOf(after, sidecarContainer)?.restartCount, 0)
  const events = await list<{ reason: string; message: string }>(namespace, 'events')
  t.strictSame(
    events.filter(({ message }) => message.includes('Liveness probe')).map(({ message }) => message),
    [],
    'no probe of the kubelet fails',
  )
  const ask = await connectSidecar(t, namespace, 'app')
  t.match(
    await (await ask('/metrics')).text(),
    /connections_closed_total\{limit="(?:total|perAddress)"\} [1-9]/,
    'connections gave way',
  )
})
