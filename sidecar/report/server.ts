import { chmod, rm } from 'node:fs/promises'
import { STATUS_CODES } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'

import { realClock } from '../../shared/clock.ts'
import { limitConnections, type ConnectionLimits } from '../../shared/connection-limits.ts'

/** What is served over HTTP. */
export interface Pages {
  /** Why the pod is not ready yet; undefined when it is. */
  notReady(): string | undefined
  /** Resolves when the pod is ready, or when the program is about to end. */
  readonly settled: Promise<unknown>
  metrics(): string
  status(): unknown
}

/** The pages as they are sent; costly ones are written once for many requests. */
interface Bodies {
  notReady(): string | undefined
  metrics(): Buffer
  status(): Buffer
}

interface Answer {
  status: number
  type: string
  body: Buffer
}

/** Every pod in the network can reach the port, and the kubelet's probes must get through whatever those pods send. */
const limits = { total: 64, perAddress: 16, closeBusy: true, lifetimeMs: 10_000 } satisfies ConnectionLimits
/** For a request to arrive. */
const requestTimeoutMs = 3_000
/**
 * How long a request for `/startupz` waits for the pod to be ready. The kubelet asks once a second, so an answer that comes too early costs
 * the app a second. Below the probe's timeout, 5 s, and with `requestTimeoutMs` below a connection's lifetime.
 */
export const startupWaitMs = 4_000
/** Requests that wait at the same time. Those beyond are answered at once: neighbors can take these places, but delay nothing more. */
export const maxWaiting = 8
/** Bytes of a request's line and headers; those of scrapers and browsers have a tenth of it. */
const maxRequestSize = 8_192

const text = (status: number, body: string): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: Buffer.from(`${body}\n`),
})

/**
 * Answers one request. `/status` is only for clients inside the pod (`kubectl port-forward` connects from there): its addresses must
 * both be loopback ones, so that neither a neighbour nor a route to this host's loopback reaches it, and its host must be
 * called so, so that no web page in a developer's browser does.
 */
export function answer(url: string, isLocal: boolean, pages: Bodies): Answer {
  switch (url.split('?', 1)[0]) {
    case '/livez':
      return text(200, 'ok')
    case '/startupz': {
      const reason = pages.notReady()
      return reason === undefined ? text(200, 'ok') : text(503, reason)
    }
    case '/metrics':
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: pages.metrics() }
    case '/status':
      if (!isLocal) return text(403, 'only available inside the pod: use kubectl port-forward')
      return { status: 200, type: 'application/json', body: pages.status() }
    default:
      return text(404, 'available pages: /startupz, /livez, /metrics, /status')
  }
}

/** The addresses of a connection; a socket that was closed meanwhile has none. */
type Ends = Partial<Record<'remoteAddress' | 'localAddress', string | undefined>>

/** True if a request comes from inside the pod and was addressed to it. */
export const isLocal = ({ remoteAddress, localAddress }: Ends, host = ''): boolean =>
  isLoopback(remoteAddress) && isLoopback(localAddress) && /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host)

const isLoopback = (address = ''): boolean => /^(::ffff:)?127\./i.test(address) || address === '::1'

/** Where to listen: a port on every address of the pod, or a unix socket, whose folder decides who may use it. */
export type Place = { port: number } | { socket: string }

/**
 * Reuses what `make` wrote for nine times as long as the writing took, and for a second at most: requests, however many,
 * take a tenth of the process's time, and all connections hold the same bytes.
 */
export function createCachedWriter(make: () => string, elapsed = realClock.elapsed): () => Buffer {
  let text = Buffer.alloc(0)
  let until = -Infinity
  return () => {
    const start = elapsed()
    if (start < until) return text
    text = Buffer.from(make())
    const end = elapsed()
    until = end + Math.min(9 * (end - start), 1_000)
    return text
  }
}

/** A server that listens; its requests wait until it has the pages. */
export interface Port {
  /**
   * @param onClosed is called for each connection that is closed because of a limit
   * @throws if it cannot listen
   */
  serve: (pages: Pages, onClosed?: ConnectionLimits['onClosed']) => Promise<Server>
}

/**
 * Listens, and serves the pages over HTTP/1.1 until the server is closed: one request for each connection, and nothing that follows it is
 * read. Node's own HTTP server would parse thousands of requests that arrive together before it could be stopped
 * (docs/decisions/0013-sidecar-port-on-node-net.md).
 */
export function openPort(place: Place): Port {
  const given = Promise.withResolvers<{ bodies: Bodies; started: () => Promise<void> }>()
  let closed: ConnectionLimits['onClosed']
  const server = createServer((socket) => {
    receive(socket, async (request) => {
      const { bodies, started } = await given.promise
      if (/^\w+ \/startupz[ ?]/.test(request)) await started()
      return respond(request, 'socket' in place || isLocal(socket, hostOf(request)), bodies)
    })
  })
  limitConnections(server, { ...limits, onClosed: (limit) => closed?.(limit) })
  const listening = listen(server, place)
  // `serve` throws it.
  listening.catch(() => undefined)
  return {
    async serve(pages, onClosed) {
      await listening
      closed = onClosed
      const bodies: Bodies = {
        notReady: () => pages.notReady(),
        metrics: createCachedWriter(() => pages.metrics()),
        status: createCachedWriter(() => `${JSON.stringify(pages.status(), undefined, 2)}\n`),
      }
      given.resolve({ bodies, started: createStartupWait(pages) })
      return server
    },
  }
}

async function listen(server: Server, place: Place): Promise<void> {
  if ('socket' in place) await rm(place.socket, { force: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  // Without a host: IPv6 and IPv4 if the pod has both.
  if ('socket' in place) server.listen(place.socket, resolve)
  else server.listen(place.port, resolve)
  await promise
  if ('socket' in place) await chmod(place.socket, 0o600)
}

/** Returns a function that waits until the pod is ready, for a limited time and for a limited number of requests. */
function createStartupWait(pages: Pages): () => Promise<void> {
  let waiting = 0
  return async () => {
    if (pages.notReady() === undefined || waiting >= maxWaiting) return
    waiting++
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const timer = setTimeout(resolve, startupWaitMs)
    await Promise.race([pages.settled, promise])
    clearTimeout(timer)
    waiting--
  }
}

/** Answers the first request of a connection, given as its line and headers, and closes the connection. */
function receive(socket: Socket, answered: (request: string) => Promise<Buffer>): void {
  let received = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), requestTimeoutMs).unref()
  const end = async (response: Buffer | Promise<Buffer>) => {
    clearTimeout(timer)
    socket.off('data', read).pause()
    socket.end(await response, () => socket.destroy())
  }
  const read = (part: Buffer) => {
    received = Buffer.concat([received, part.subarray(0, maxRequestSize)])
    const length = received.indexOf('\r\n\r\n')
    if (length >= 0 && length <= maxRequestSize) void end(answered(received.toString('latin1', 0, length)))
    else if (received.length >= maxRequestSize)
      void end(written(text(431, `a request may have at most ${maxRequestSize} bytes`)))
  }
  // A client may close or reset the connection at any time.
  socket.on('error', () => undefined)
  socket.on('data', read).once('close', () => clearTimeout(timer))
}

function respond(request: string, local: boolean, bodies: Bodies): Buffer {
  const [, method, url = ''] = /^([A-Z]+) (\/\S*) HTTP\/1\.[01](?:\r\n|$)/.exec(request) ?? []
  if (method === undefined) return written(text(400, 'expected an HTTP/1.1 request for a path'))
  if (method !== 'GET' && method !== 'HEAD') return written(text(405, 'only GET is allowed'))
  return written(answer(url, local, bodies), method === 'GET')
}

/** The Host header; undefined unless there is exactly one. */
function hostOf(request: string): string | undefined {
  const [only, ...others] = request.matchAll(/^host:[ \t]*(.*?)[ \t]*$/gim)
  return others.length === 0 ? only?.[1] : undefined
}

/** A response as it is sent (RFC 9112). */
function written({ status, type, body }: Answer, withBody = true): Buffer {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Date: ${new Date().toUTCString()}`,
    `Content-Type: ${type}`,
    'Cache-Control: no-store',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), ...(withBody ? [body] : [])])
}
