import { fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { admissionReview, appPod } from '../demo/cluster.ts'
import type { Webhook } from '../demo/webhook.ts'
import type { Bench } from './bench.ts'
import type { FloorJob } from './floor.ts'
import type { Job, Load } from './load.ts'
import { cpuTime, memory } from './proc.ts'
import type { Measured } from './results.ts'
import { webhookInCluster } from './webhook-in-cluster.ts'
import type { BenchContext } from './bench-context.ts'

const runs = 5
const connections = 16
const duration = 2000
const warmUp = 500
/** Requests until the engine has compiled the code in use, however slow the machine is. */
const untilWarm = 20_000
const podSize = 4000

/**
 * Reviews of a pod over keep-alive HTTPS, compared with an empty route of the same framework and the same number of
 * bytes.
 */
export const webhookLoad: Bench = {
  ids: [
    ...['webhook-throughput', 'webhook-p50', 'webhook-p99', 'webhook-cpu'],
    ...['webhook-memory-load', 'webhook-memory-after'],
  ],
  async run(context) {
    const webhook = await webhookInCluster(context, { namespaces: 20, serviceAccounts: 100 })
    try {
      return await underLoad(context, webhook)
    } finally {
      await webhook.close()
    }
  },
}

async function underLoad(context: BenchContext, webhook: Webhook): Promise<Measured[]> {
  const { certificate } = context
  const body = JSON.stringify(admissionReview(podOfSize(podSize)))
  webhook.process.deafen()
  const { port, ca, servername } = webhook
  const reviews = { port, ca, servername, path: '/mutate', pid: webhook.process.pid }
  const idle = memory(reviews.pid).anonymous
  const answer = await warm(context, reviews, body)
  if (!answer.includes('"allowed":true') || !answer.includes('"patch"')) throw new Error(`no injection: ${answer}`)
  const { cert, key } = certificate
  const floor = await startFloor(context, { cert, key, answer: Buffer.byteLength(answer) })
  const empty = { ...floor, ca: certificate.ca, servername: certificate.servername, path: '/' }
  const received = await warm(context, empty, body)
  if (received.length !== answer.length)
    throw new Error(`the floor sends ${received.length} bytes, not ${answer.length}`)

  const figures: Figures[] = []
  const floors: Figures[] = []
  for (let run = 0; run < runs; run++) {
    // Alternating, so that other load affects both.
    floors.push(await measure(context, empty, body))
    figures.push(await measure(context, reviews, body))
  }
  const of = (field: 'perSecond' | 'p50' | 'p99' | 'cpu') => ({
    samples: figures.map((one) => one[field]),
    floor: floors.map((one) => one[field]),
  })
  return [
    { id: 'webhook-throughput', unit: 'reviews/s', ...of('perSecond'), target: { ratioAtLeast: 0.5 } },
    { id: 'webhook-p50', unit: 'ms', ...of('p50') },
    { id: 'webhook-p99', unit: 'ms', ...of('p99'), target: { ratioAtMost: 2 } },
    { id: 'webhook-cpu', unit: 'ms', ...of('cpu'), target: { atMost: 0.5 } },
    {
      id: 'webhook-memory-load',
      unit: 'MB',
      samples: figures.map(({ anonymous }) => anonymous),
      floor: [idle],
      target: { atMost: 50 },
    },
    {
      id: 'webhook-memory-after',
      unit: 'MB',
      samples: [await memoryAfter(reviews.pid)],
      floor: [idle],
      target: { aboveFloorAtMost: 10 },
    },
  ]
}

interface Server extends Pick<Job, 'port' | 'ca' | 'servername' | 'path'> {
  pid: number
}
type Figures = Load & { cpu: number; anonymous: number }

/** Returns the anonymous memory of a process, in MB, a minute later. */
async function memoryAfter(pid: number): Promise<number> {
  await sleep(60_000)
  return memory(pid).anonymous
}

/** Sends requests until the server is warm. @returns the body of an answer */
async function warm(context: BenchContext, server: Server, body: string): Promise<string> {
  let [requests, answer] = [0, '']
  while (requests < untilWarm) {
    const load = await measure(context, server, body)
    requests += load.answered
    answer = load.answer
  }
  return answer
}

/**
 * Runs the load generator once; `cpu` is the server's time for a request, in milliseconds, and `anonymous` its memory right after, in
 * MB.
 */
async function measure(context: BenchContext, server: Server, body: string): Promise<Figures> {
  const { pid, ...target } = server
  const before = cpuTime(pid)
  const load = await generate(context, { ...target, body, connections, duration, warmUp })
  return { ...load, cpu: (cpuTime(pid) - before) / load.answered, anonymous: memory(pid).anonymous }
}

async function generate({ supervisor }: BenchContext, job: Job): Promise<Load> {
  const child = fork(join(import.meta.dirname, 'load.ts'), { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const generator = supervisor.adopt('the load generator', child)
  const { promise, resolve } = Promise.withResolvers<{ load?: Load; error?: string }>()
  child.once('message', (message) => resolve(message as { load?: Load; error?: string }))
  void generator.exited.then(() => resolve({ error: generator.ended('without an answer') }))
  child.send(job)
  const { load, error } = await promise
  await generator.exited
  if (load === undefined) throw new Error(error)
  return load
}

async function startFloor({ supervisor }: BenchContext, job: FloorJob): Promise<{ port: number; pid: number }> {
  const child = fork(join(import.meta.dirname, 'floor.ts'), { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const server = supervisor.adopt('the floor', child)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  child.once('message', (message) => resolve((message as { port: number }).port))
  void server.exited.then(() => reject(new Error(server.ended('before it listened'))))
  child.send(job)
  return { port: await promise, pid: server.pid }
}

/** Returns the demo's pod with enough variables to reach a size. */
function podOfSize(bytes: number): object {
  const pod = appPod({ vault: 'bench-kv', objects: 'secret-0, secret-1, secret-2', signal: 'SIGHUP' }, [])
  const env: { name: string; value: string }[] = []
  const spec = { ...pod.spec, containers: pod.spec.containers.map((container) => ({ ...container, env })) }
  const made = { ...pod, spec }
  while (JSON.stringify(made).length < bytes) {
    env.push({ name: `SETTING_${env.length}`, value: `https://service-${env.length}.shop.svc.cluster.local` })
  }
  return made
}
