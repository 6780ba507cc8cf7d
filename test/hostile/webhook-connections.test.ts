import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import t from 'tap'
import type { Limit } from '../../webhook/limits.ts'
import { annotated, reviewOf } from '../webhook/review-app.ts'
import { startWebhook, type WebhookProcess } from './webhook-process.ts'
import { webhookManifest } from '../support/deployment-manifest.ts'

// What any pod in the network can do to the webhook's port. Meanwhile the API server is answered, over connections that it keeps and
// over new ones, about as fast as while as many clients do what they should.

t.setTimeout(600_000)
const skip = process.platform === 'linux' ? false : 'only Linux has all of 127.0.0.0/8'
/** More than the webhook takes, 300. */
const tooMany = 330
const one = ['127.0.0.2']
const twenty = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 2}`)
/** Milliseconds after which the API server gives up, by `timeoutSeconds` of the registrations. */
const timeout = 5_000

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: webhook\r\n`
const post = (path: string, body: string, length = body.length): string =>
  `POST ${path} HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`
const metrics = `${get('/metrics')}\r\n`
const review = post('/mutate', JSON.stringify(reviewOf(annotated())))

interface Attack {
  from: string[]
  /** Default: 330. */
  connections?: number
  /** Only TCP, without a TLS handshake. */
  plain?: boolean
  /** Sent once connected. */
  first?: string
  /** Sent every 50 ms from then on. */
  then?: string
  /** The client never reads what it is sent. */
  deaf?: boolean
  /** The limit that has to take effect. */
  limit?: Limit
}

const polite: Attack = { from: twenty, first: `${get('/livez')}connection: close\r\n\r\n` }
const attacks: Record<string, Attack> = {
  'TCP connections from one address that begin no TLS': { from: one, plain: true, limit: 'connections' },
  'TCP connections from 20 addresses that begin no TLS': { from: twenty, plain: true, limit: 'connections' },
  'TLS handshakes that never end': { from: twenty, plain: true, first: '\x16\x03\x01\x02\x00\x01', then: '\x00' },
  'TLS connections that send nothing': { from: twenty },
  'headers that never end': { from: twenty, first: get('/livez'), then: 'x: y\r\n' },
  'headers that are huge': { from: twenty, first: get('/livez') + `x: ${'y'.repeat(7_000)}\r\n`.repeat(10) },
  'bodies that never end': { from: twenty, first: post('/mutate', '{', 1_000), then: ' ' },
  'connections that are kept alive': { from: twenty, first: `${get('/livez')}\r\n`, limit: 'connections' },
  'a thousand requests at once on each connection': {
    from: twenty,
    connections: 100,
    first: metrics.repeat(1_000),
    deaf: true,
    limit: 'pipelining',
  },
  'a hundred reviews at once on each connection': {
    from: twenty,
    connections: 100,
    first: review.repeat(100),
    deaf: true,
    limit: 'pipelining',
  },
  'answers that are never read': { from: twenty.slice(0, 2), first: metrics, then: metrics, deaf: true },
}

async function connect(port: number, { from, plain = false, first = '', deaf = false }: Attack, index: number) {
  const raw = net.connect({ host: '127.0.0.1', port, localAddress: from[index % from.length] })
  const socket: Socket = plain ? raw : tls.connect({ socket: raw, rejectUnauthorized: false })
  raw.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.on('error', resolve).once('close', resolve))
  await Promise.race([once(socket, plain ? 'connect' : 'secureConnect').catch(() => undefined), closed])
  if (!deaf) socket.resume()
  if (first !== '') socket.write(first, 'latin1')
  return socket
}

/** Opens all connections, eight at a time, and keeps them busy until `isOver`. */
async function run(port: number, attack: Attack, isOver: () => boolean): Promise<void> {
  const sockets: Socket[] = []
  let [next, opening] = [0, 8]
  const open = async (): Promise<void> => {
    while (next < (attack.connections ?? tooMany)) sockets.push(await connect(port, attack, next++))
    opening--
  }
  const opened = Promise.all(Array.from({ length: opening }, open))
  while (opening > 0 || !isOver()) {
    for (const socket of sockets)
      if (attack.then !== undefined && !socket.destroyed) socket.write(attack.then, 'latin1')
    await sleep(50)
  }
  await opened
  for (const socket of sockets) socket.destroy()
}

/** How long reviews take during an attack, in milliseconds, of which every other one comes over a new connection; and those that fail. */
async function askUnder(webhook: WebhookProcess, attack: Attack) {
  const times: number[] = []
  const failures: string[] = []
  let isOver = false
  const under = run(webhook.port, attack, () => isOver)
  let isRunning = true
  void under.finally(() => (isRunning = false))
  const before = await webhook.limited()
  const hasTakenEffect = async () =>
    attack.limit === undefined || (await webhook.limited())[attack.limit] !== before[attack.limit]
  const end = performance.now() + 60_000
  while (isRunning) {
    const start = performance.now()
    await (times.length % 2 === 0 ? webhook.review() : webhook.reviewAlone()).then(
      ({ status }) => status !== 200 && failures.push(String(status)),
      (error: Error) => failures.push(error.message),
    )
    times.push(performance.now() - start)
    await sleep(20)
    isOver = times.length >= 100 && (performance.now() > end || (await hasTakenEffect()))
  }
  const isLimited = await hasTakenEffect()
  times.sort((a, b) => a - b)
  return { median: times[times.length >> 1] ?? 0, slowest: times.at(-1) ?? 0, failures, isLimited }
}

void t.test('webhook connections: floods and slow clients do not stop reviews', { skip }, async (t) => {
  const webhook = await startWebhook(t)
  const ms = (time: number) => `${Math.round(time)} ms`
  await askUnder(webhook, polite)
  const calm = await askUnder(webhook, polite)
  t.comment(`calm: median ${ms(calm.median)}, slowest ${ms(calm.slowest)}`)
  for (const [title, attack] of Object.entries(attacks)) {
    await t.test(`webhook connections: ${title}`, async (t) => {
      const { median, slowest, failures, isLimited } = await askUnder(webhook, attack)
      const peak = webhook.peak()
      t.comment(`median ${ms(median)}, slowest ${ms(slowest)}; ${peak >> 20} MiB of ${webhookManifest.memory >> 20}`)
      t.strictSame(failures, [], 'every review is answered')
      t.ok(isLimited, `the limit takes effect: ${attack.limit}`)
      t.ok(median < 10 * calm.median, `median ${ms(median)}, while others behave ${ms(calm.median)}`)
      t.ok(slowest < timeout, `slowest ${ms(slowest)}`)
      t.ok(peak < webhookManifest.memory, `${peak} bytes are less than the limit, ${webhookManifest.memory}`)
    })
  }
})
