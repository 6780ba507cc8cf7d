import t from 'tap'
import { sidecarContainer } from '../../shared/names.ts'
import { annotate, deployment, pod } from './support/apps.ts'
import { apply, kubectl, list, logs } from './support/kubectl.ts'
import { getPod, logHas, readyPod, readyPods, statusOf } from './support/pods.ts'
import { eventually } from './support/process.ts'
import { makeStage } from './support/stage.ts'

const node = { script: '', image: process.env['E2E_IMAGE'] }

/**
 * Reads its secret once. On SIGTERM it is not ready any more, serves on until nobody but the kubelet has asked it for three
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
  console.log('SIGTERM, until nobody asks any more')
  ready = false
  asked = Date.now()
  setInterval(() => Date.now() - asked > 3000 && process.exit(0), 100)
})`

/** Asks the Service fifty times a second, by a connection of its own each time, and tells twice a second what it got so far. */
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
  /** By what was answered: the pod and the secret it serves. */
  answers: Record<string, number>
  errors: Record<string, number>
}

interface EndpointSlice {
  metadata: { name: string }
  endpoints?: { conditions: { ready?: boolean } }[]
}

void t.test('SIGTERM restarts two replicas apart, and no request fails', async (t) => {
  const { namespace, emulator, vault } = await makeStage(t, { 'db-password': 'one' })
  // Each replica sees the change when the test has it polled, which pins apart what a splay only makes likely.
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
    await kubectl(['annotate', 'pod', '-n', namespace, name, ...Object.entries(annotate({ refresh: 'two' })).map((pair) => pair.join('='))]) // prettier-ignore
    await eventually(`${name} was restarted`, async () => {
      const status = statusOf(await getPod(namespace, name), 'app')
      return status?.restartCount === 1 && status.ready
    })
    t.match(await logs(namespace, name, 'app', '--previous'), 'SIGTERM, until nobody asks any more')
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

  /** Waits until the client has had each of these answers since now. */
  async function answered(...texts: string[]): Promise<void> {
    const before = await count()
    await eventually(`the client was answered ${texts.join(', ')}`, async () => {
      const { answers } = await count()
      return texts.every((text) => (answers[text] ?? 0) > (before.answers[text] ?? 0))
    })
  }
})
