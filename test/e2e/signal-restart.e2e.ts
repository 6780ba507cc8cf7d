import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { annotate, deployment, pod } from './support/apps.ts'
import { apply, kubectl, list, logs } from './support/kubectl.ts'
import { getPod, logHas, readyPod, readyPods, statusOf } from './support/pods.ts'
import { eventually } from './support/eventually.ts'
import { makeFixture } from './support/fixture.ts'

const node = { script: '', image: process.env['E2E_IMAGE'] }

/**
 * Reads its secret once. On SIGTERM it is not ready any more, keeps serving until only the kubelet has sent requests for three
 * seconds, so that its endpoint is gone, and exits.
 */
const server = `
const password = require('fs').readFileSync('/mnt/secrets/db-password', 'utf8')
let ready = true
let asked = Date.now()
require('http').createServer(({ url }, response) => {
  if (url === '/ready') return response.writeHead(ready ? 200 : 503).end()
  asked = Date.now()
  response.end(process.env.HOSTNAME + ' ' + password)
}).listen(8080, () => console.log('serving ' + password))
process.on('SIGTERM', () => {
  console.log('SIGTERM, until no request arrives')
  ready = false
  asked = Date.now()
  setInterval(() => Date.now() - asked > 3000 && process.exit(0), 100)
})`

/**
 * Calls the Service fifty times a second, each time over a new connection, and reports twice a second what it received
 * so far.
 */
const client = `
const http = require('http')
const count = { asked: 0, failed: 0, answers: {}, errors: {} }
const fail = (why) => { count.failed++; count.errors[why] = (count.errors[why] ?? 0) + 1 }
const ask = () => {
  count.asked++
  http.get('http://web:8080/', { agent: false, timeout: 5000 }, (response) => {
    let text = ''
    response.on('data', (part) => (text += part))
    response.on('error', (error) => fail(error.code))
    response.on('end', () => {
      if (response.statusCode === 200) count.answers[text] = (count.answers[text] ?? 0) + 1
      else fail(response.statusCode)
    })
  }).on('timeout', function () { this.destroy(new Error('timeout')) }).on('error', (error) => fail(error.code ?? error.message))
}
setInterval(ask, 20)
setInterval(() => console.log(JSON.stringify(count)), 500)`

interface Count {
  asked: number
  failed: number
  /** The answers, by pod and secret. */
  answers: Record<string, number>
  errors: Record<string, number>
}

interface EndpointSlice {
  metadata: { name: string }
  endpoints?: { conditions: { ready?: boolean } }[]
}

void t.test('signal restart: SIGTERM restarts two replicas one after the other, and no request fails', async (t) => {
  const { namespace, emulator, vault } = await makeFixture(t, { 'db-password': 'one' })
  // The test requests a poll of each replica, so that the restarts are certainly apart; a splay only makes that likely.
  const annotations = { vault, objects: 'db-password', 'poll-interval': '1h', signal: 'SIGTERM' }
  await apply(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 8080 }] },
    },
    deployment(namespace, 'web', 2, {
      annotations,
      containers: [
        {
          ...node,
          name: 'app',
          command: ['/nodejs/bin/node', '-e', server],
          readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1, failureThreshold: 1 },
        },
      ],
    }),
  )
  const names = (await readyPods(namespace, 'app=web', 2)).map(({ metadata }) => metadata.name)
  await bothServe()
  const alone = pod(namespace, 'client', {
    containers: [{ ...node, name: 'client', command: ['/nodejs/bin/node', '-e', client] }],
  })
  await apply(alone)
  await readyPod(namespace, 'client')
  await answered(`${names[0]} one`, `${names[1]} one`)

  await emulator.setSecret(vault, 'db-password', 'two')
  for (const name of names) {
    await kubectl([
      'annotate',
      'pod',
      '-n',
      namespace,
      name,
      ...Object.entries(annotate({ refresh: 'two' })).map((pair) => pair.join('=')),
    ])
    await eventually(`${name} was restarted`, async () => {
      const status = statusOf(await getPod(namespace, name), 'app')
      return status?.restartCount === 1 && status.ready
    })
    t.match(await logs(namespace, name, 'app', '--previous'), 'SIGTERM, until no request arrives')
    t.match(await logs(namespace, name, sidecarContainer), '"outcome":"delivered"')
    await bothServe()
    await answered(`${name} two`)
  }

  const { asked, failed, errors, answers } = await count()
  t.equal(failed, 0, JSON.stringify(errors))
  t.comment(`${asked} requests: ${JSON.stringify(answers)}`)
  for (const name of names) {
    const status = statusOf(await getPod(namespace, name), 'app')
    t.match(status, { restartCount: 1, lastState: { terminated: { exitCode: 0 } } }, 'once, by the app itself')
  }

  function bothServe(): Promise<unknown> {
    return eventually('both are endpoints of the Service', async () => {
      const slices = await list<EndpointSlice>(namespace, 'endpointslices', 'kubernetes.io/service-name=web')
      const endpoints = slices.flatMap(({ endpoints = [] }) => endpoints)
      return endpoints.filter(({ conditions }) => conditions.ready).length === 2
    })
  }

  async function count(): Promise<Count> {
    const log = await logHas(namespace, 'client', 'client', /^\{.*\}$/m)
    return JSON.parse(log.trimEnd().split('\n').at(-1) ?? '') as Count
  }

  /** Waits until the client has received each of these answers from now on. */
  async function answered(...texts: string[]): Promise<void> {
    const before = await count()
    await eventually(`the client was answered ${texts.join(', ')}`, async () => {
      const { answers } = await count()
      return texts.every((text) => (answers[text] ?? 0) > (before.answers[text] ?? 0))
    })
  }
})
