import { chmod, rm } from 'node:fs/promises'
import { STATUS_CODES } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'

import { limitConnections, type ConnectionLimits } from '../shared/connection-limits.ts'

/** What is served over HTTP. */
export interface Pages {
  /** Why the pod is not ready yet; undefined when it is. */
  notReady(): string | undefined
  metrics(): string
  status(): unknown
}

/** The pages as they are sent: what is costly to write is written once for many requests. */
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

/** The port is open to every pod in the network, and the kubelet's probes must get through whatever those send. */
const limits = { total: 64, perAddress: 16, closeBusy: true, lifetime: 10_000 } satisfies ConnectionLimits
/** Milliseconds for a request to arrive. */
const requestTimeout = 3_000
/** Bytes of a request's line and headers; a scraper's or a browser's are a tenth of it. */
const maxRequestSize = 8_192

const text = (status: number, body: string): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: Buffer.from(`${body}\n`),
})

/**
 * Answers one request. `/status` is for whoever is in the pod (`kubectl port-forward` comes from there): its addresses must
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
      if (!isLocal) return text(403, 'only from within the pod: kubectl port-forward')
      return { status: 200, type: 'application/json', body: pages.status() }
    default:
      return text(404, 'there are /startupz, /livez, /metrics and /status')
  }
}

/** The addresses of a connection; a socket that was closed meanwhile has none. */
type Ends = Partial<Record<'remoteAddress' | 'localAddress', string | undefined>>

/** Whether a request comes from within the pod and was meant for it. */
export const isLocal = ({ remoteAddress, localAddress }: Ends, host = ''): boolean =>
  isLoopback(remoteAddress) && isLoopback(localAddress) && /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host)

const isLoopback = (address = ''): boolean => /^(::ffff:)?127\./i.test(address) || address === '::1'

/** Where to listen: a port on every address of the pod, or a unix socket, whose folder decides who may use it. */
export type Place = { port: number } | { socket: string }

/**
 * Reuses what `make` wrote for nine times as long as the writing took, and for a second at most: requests, however many,
 * take a tenth of the process's time, and all connections hold the same bytes.
 */
export function sparing(make: () => string, now: () => number = () => performance.now()): () => Buffer {
  let made = Buffer.alloc(0)
  let until = -Infinity
  return () => {
    const start = now()
    if (start < until) return made
    made = Buffer.from(make())
    const end = now()
    until = end + Math.min(9 * (end - start), 1_000)
    return made
  }
}

/**
 * Serves the pages over HTTP/1.1 until it is closed: one request for each connection, and nothing that follows it is read.
 * Node's own HTTP server would parse thousands of requests that arrive together before it could be stopped
 * (docs/decisions/sidecar-port.md).
 * @param onClosed is called for each connection that is closed because of a limit
 * @throws if it cannot listen
 */
export async function serve(pages: Pages, place: Place, onClosed?: ConnectionLimits['onClosed']): Promise<Server> {
  const bodies: Bodies = {
    notReady: () => pages.notReady(),
    metrics: sparing(() => pages.metrics()),
    status: sparing(() => `${JSON.stringify(pages.status(), undefined, 2)}\n`),
  }
  const server = createServer((socket) => {
    receive(socket, (request) => respond(request, 'socket' in place || isLocal(socket, hostOf(request)), bodies))
  })
  limitConnections(server, { ...limits, ...(onClosed && { onClosed }) })
  if ('socket' in place) await rm(place.socket, { force: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  // Without a host: IPv6 and IPv4 if the pod has both.
  if ('socket' in place) server.listen(place.socket, resolve)
  else server.listen(place.port, resolve)
  await promise
  if ('socket' in place) await chmod(place.socket, 0o600)
  return server
}

/** Answers the first request of a connection, given as its line and headers, and closes the connection. */
function receive(socket: Socket, answered: (request: string) => Buffer): void {
  let received = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), requestTimeout).unref()
  const end = (response: Buffer) => {
    clearTimeout(timer)
    socket.off('data', read).pause()
    socket.end(response, () => socket.destroy())
  }
  const read = (part: Buffer) => {
    received = Buffer.concat([received, part.subarray(0, maxRequestSize)])
    const length = received.indexOf('\r\n\r\n')
    if (length >= 0 && length <= maxRequestSize) end(answered(received.toString('latin1', 0, length)))
    else if (received.length >= maxRequestSize) end(written(text(431, `a request has at most ${maxRequestSize} bytes`)))
  }
  // A client that goes away, or resets the connection, is no event.
  socket.on('error', () => undefined)
  socket.on('data', read).once('close', () => clearTimeout(timer))
}

function respond(request: string, local: boolean, bodies: Bodies): Buffer {
  const [, method, url = ''] = /^([A-Z]+) (\/\S*) HTTP\/1\.[01](?:\r\n|$)/.exec(request) ?? []
  if (method === undefined) return written(text(400, 'not an HTTP/1.1 request for a path'))
  if (method !== 'GET' && method !== 'HEAD') return written(text(405, 'GET only'))
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
