import { deployment, pod } from './apps.ts'
import { eventually } from './eventually.ts'
import { apply, list, type KubernetesObject } from './kubectl.ts'
import { logHas, readyPod } from './pods.ts'
import type { Lifetime } from './process.ts'
import { watch } from './watch.ts'

/** What the process of a supervised server is called. */
export const supervised = 'web-server'

/** The injector's own image, which has Node. */
const node = { script: '', image: process.env['E2E_IMAGE'] }

/**
 * Reads its secret once. A secret that begins with `bad` ends it at once, one that begins with `slow` keeps it from being ready for a
 * while, and one that begins with `never` for good. On SIGTERM it is not ready any more, keeps serving until only the kubelet has sent
 * requests for three seconds, so that its endpoint is gone, and exits.
 */
const server = `
const password = require('fs').readFileSync('/mnt/secrets/db-password', 'utf8')
if (password.startsWith('bad')) { console.log('the password does not work'); process.exit(1) }
let ready = !/^(slow|never)/.test(password)
if (password.startsWith('slow')) setTimeout(() => (ready = true), 8000)
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

/** Starts the server again whenever it ends: the kubelet would wait longer each time, up to five minutes. */
const supervisor = `
const { spawn } = require('child_process')
let isEnding = false
let server
const start = () => {
  server = spawn(process.execPath, ['-e', process.env.SERVER], { stdio: 'inherit', argv0: '${supervised}' })
  server.on('exit', () => (isEnding ? process.exit(0) : setTimeout(start, 200)))
}
process.on('SIGTERM', () => {
  isEnding = true
  server.kill('SIGTERM')
})
start()`

/**
 * Calls the Service fifty times a second, each time over a new connection, once more if that fails, and reports twice a second what
 * it received so far.
 */
const client = (retries: number): string => `
const http = require('http')
const count = { asked: 0, failed: 0, answers: {}, errors: {} }
const ask = (retries) => {
  const fail = (why) => {
    count.errors[why] = (count.errors[why] ?? 0) + 1
    if (retries > 0) ask(retries - 1)
    else count.failed++
  }
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
setInterval(() => { count.asked++; ask(${retries}) }, 20)
setInterval(() => console.log(JSON.stringify(count)), 500)`

/** What the client received so far. */
export interface Count {
  asked: number
  /** Requests that failed, repetitions included. */
  failed: number
  /** The answers, by pod and secret. */
  answers: Record<string, number>
  errors: Record<string, number>
}

interface EndpointSlice extends KubernetesObject {
  endpoints?: { conditions: { ready?: boolean } }[]
}

/** A Service and a Deployment, both named web, that drain before they end. */
export function drainingWeb(
  namespace: string,
  options: { replicas: number; annotations: Record<string, string>; periodSeconds: number; isSupervised?: boolean },
): object[] {
  const { replicas, annotations, periodSeconds, isSupervised = false } = options
  const readinessProbe = { httpGet: { path: '/ready', port: 8080 }, periodSeconds, failureThreshold: 1 }
  const command = ['/nodejs/bin/node', '-e', isSupervised ? supervisor : server]
  const env = [{ name: 'SERVER', value: server }]
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 8080 }] },
    },
    deployment(namespace, 'web', replicas, {
      annotations,
      containers: [{ ...node, name: 'app', command, env, readinessProbe }],
    }),
  ]
}

/** How many pods get requests of the Service. */
export async function readyEndpoints(namespace: string): Promise<number> {
  const slices = await list<EndpointSlice>(namespace, 'endpointslices', 'kubernetes.io/service-name=web')
  const endpoints = slices.flatMap(({ endpoints = [] }) => endpoints)
  return endpoints.filter(({ conditions }) => conditions.ready).length
}

/** Counts the pods that get requests of the Service, whenever that changes, once all do; the fewest since the last call of `reset`. */
export async function watchEndpoints(t: Lifetime, namespace: string, replicas: number) {
  let now = 0
  let fewest = Infinity
  // kubectl evaluates a range for the first object of a watch only.
  const path = '{.endpoints[*].conditions.ready}'
  watch(t, namespace, ['endpointslices', '-l', 'kubernetes.io/service-name=web'], path, (line) => {
    now = line.split(' ').filter((ready) => ready === 'true').length
    fewest = Math.min(fewest, now)
  })
  await eventually('all pods are endpoints', async () => now === replicas)
  return { fewest: () => fewest, reset: () => (fewest = now) }
}

/** Starts a pod that calls the Service again and again. */
export async function startClient(namespace: string, retries = 0) {
  const command = ['/nodejs/bin/node', '-e', client(retries)]
  await apply(pod(namespace, 'client', { containers: [{ ...node, name: 'client', command }] }))
  await readyPod(namespace, 'client')

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
  return { count, answered }
}
