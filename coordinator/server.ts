import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import { limitConnections } from '../shared/connection-limits.ts'
import { sessionPath } from '../shared/coordination/limits.ts'
import type { Sessions } from './sessions.ts'
import type { VerifyToken } from './tokens.ts'

export interface ServerOptions {
  tls: SecureContextOptions
  sessions: Sessions
  verify: VerifyToken
  /** How many sessions there may be: the connections that are more than these are bounded too. */
  limit: number
  /** Why probes should fail; undefined if they should not. */
  notReady: () => string | undefined
  metrics: () => Promise<{ contentType: string; text: string }>
  /** Called for each request for a session that is refused, with an error if the cluster's keys cannot be read. */
  onRefused?: (reason: RefusalReason, error?: Error) => void
}

/** Why a request for a session was refused; a label of a metric. */
export type RefusalReason = 'token' | 'full' | 'unavailable'

/** Connections without a session: probes, scrapes, and handshakes that are not done. */
const otherConnections = 256
/** How long clients may take for the handshake and for a request's headers, in milliseconds. A session's body never ends. */
const timeouts = {
  handshakeTimeout: 10_000,
  headersTimeout: 5_000,
  requestTimeout: 0,
  connectionsCheckingInterval: 1_000,
}
/** A coordinator that is full has to be given more memory: nothing that a sidecar does helps. */
const retryAfterFullSeconds = 600

/** The server of sessions, probes and metrics, not listening yet. */
export function createSessionServer(options: ServerOptions): Server {
  const server = createServer({ ...options.tls, ...timeouts, maxHeaderSize: 16 * 1024 }, (request, response) => {
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    answer(request, response, options).catch(() => response.destroy())
  })
  const total = options.limit + otherConnections
  limitConnections(server, { total, perAddress: total })
  return server
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  const { method = '', url = '' } = request
  if (method === 'POST' && url === sessionPath) return open(request, response, options)
  if (method !== 'GET') return refuse(response, 404, 'not found')
  if (url === '/livez') return refuse(response, 200, 'ok')
  if (url === '/readyz') {
    const reason = options.notReady()
    return refuse(response, reason === undefined ? 200 : 503, reason ?? 'ok')
  }
  if (url === '/metrics') {
    const { contentType, text } = await options.metrics()
    response.writeHead(200, { 'content-type': contentType }).end(text)
    return
  }
  refuse(response, 404, 'not found')
}

/** Answers before anything of the body is read: the answer stays open as long as the session. */
async function open(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  const { sessions, verify, onRefused } = options
  const token = /^Bearer ([\w.-]{1,16000})$/.exec(request.headers.authorization ?? '')?.[1]
  const verified = token === undefined ? undefined : await verify(token).catch((error: Error) => error)
  if (verified instanceof Error) {
    onRefused?.('unavailable', verified)
    return refuse(response, 503, "the cluster's keys cannot be read", { 'retry-after': '30' })
  }
  if (!verified?.ok) {
    onRefused?.('token')
    return refuse(response, 401, verified?.problems.join('; ') ?? 'a ServiceAccount token is missing')
  }
  if (sessions.isFull(verified.value.uid)) {
    onRefused?.('full')
    return refuse(response, 503, 'there are too many sessions', { 'retry-after': String(retryAfterFullSeconds) })
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.flushHeaders()
  const session = sessions.open(verified.value, response)
  response.on('close', () => session.end('closed'))
  request.on('data', (chunk: Buffer) => session.receive(chunk))
  request.on('close', () => session.end('closed'))
}

/** Answers and closes the connection, whatever else the client sends. */
function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close', ...headers }).end(`${text}\n`)
}
