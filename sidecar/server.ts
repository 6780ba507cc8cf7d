import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { chmod, rm } from 'node:fs/promises'

/** What is served over HTTP. */
export interface Pages {
  /** Why the pod is not ready yet; undefined when it is. */
  notReady(): string | undefined
  metrics(): string
  status(): unknown
}

interface Answer {
  status: number
  type: string
  body: string
}

const text = (status: number, body: string): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
})

/**
 * Answers one request. `/status` is for whoever is in the pod (`kubectl port-forward` comes from there): its addresses must
 * both be loopback ones, so that neither a neighbour nor a route to this host's loopback reaches it, and its host must be
 * called so, so that no web page in a developer's browser does.
 */
export function answer(url: string, isLocal: boolean, pages: Pages): Answer {
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
      return { status: 200, type: 'application/json', body: `${JSON.stringify(pages.status(), undefined, 2)}\n` }
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

/** Serves the pages until it is closed. @throws where it cannot listen */
export async function serve(pages: Pages, place: Place): Promise<Server> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000 }, handle)
  server.maxHeadersCount = 50
  server.maxConnections = 100
  if ('socket' in place) await rm(place.socket, { force: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  // Without a host: IPv6 and IPv4 where the pod has both.
  if ('socket' in place) server.listen(place.socket, resolve)
  else server.listen(place.port, resolve)
  await promise
  if ('socket' in place) await chmod(place.socket, 0o600)
  return server

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '/', socket } = request
    const local = 'socket' in place || isLocal(socket, request.headers.host)
    const { status, type, body } = method === 'GET' || method === 'HEAD' ? answer(url, local, pages) : text(405, 'GET only') // prettier-ignore
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'content-length': Buffer.byteLength(body) }) // prettier-ignore
    response.end(method === 'HEAD' ? undefined : body)
  }
}
