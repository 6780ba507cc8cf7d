import type { RequestListener, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import { limitConnections } from '../../shared/connection-limits.ts'
import type { OnLimited } from '../limits.ts'

/** The API server keeps idle connections for 90 s; the server must not be the one that closes first, or a review is lost. */
const keepAliveTimeout = 120_000
/** The API server opens a connection for each review that it sends at the same time as others. */
const connections = { total: 300, perAddress: 250 }
/**
 * How long clients may take, in milliseconds: for the TLS handshake, a request's headers, and all of it. By default Node looks
 * every 30 s whether they did.
 */
const clientTimeouts = {
  handshakeTimeout: 5_000,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
}
/** A connection on which nothing moves for so long (milliseconds) does not read its answer. No review takes as long. */
const stalled = 40_000

/** An HTTPS server, not listening yet, whose clients cannot keep each other out. */
export function createBoundedServer(tls: SecureContextOptions, handle: RequestListener, onLimited?: OnLimited): Server {
  const server = createServer({ ...tls, ...clientTimeouts, keepAliveTimeout }, oneAtATime(handle, onLimited))
  server.setTimeout(stalled)
  server.on('secureConnection', parseInSlices)
  limitConnections(server, { ...connections, onClosed: () => onLimited?.('connections') })
  return server
}

/**
 * Closes a connection whose client sends a request before the last one is answered. The API server, the kubelet and Prometheus wait for
 * answers. Each request is handled in a later turn of the event loop than it is read in, so that of those that arrive together
 * the second finds the first unanswered. A response counts as soon as it is written: a client may have it before this process knows.
 */
function oneAtATime(handle: RequestListener, onLimited: OnLimited | undefined): RequestListener {
  const last = new WeakMap<object, ServerResponse>()
  return (request, response) => {
    const { socket } = request
    // Parsed together with the request that closed it.
    if (socket.destroyed) return
    if (last.get(socket)?.writableEnded === false) {
      onLimited?.('pipelining')
      return void socket.destroy()
    }
    last.set(socket, response)
    setImmediate(() => {
      if (!socket.destroyed) handle(request, response)
    })
  }
}

/** Bytes that the parser gets at a time. */
const slice = 2_048

/**
 * Gives the parser of a connection little at a time. It does not stop at the end of a request: of the 500 that fit into a TLS record
 * it would read all, and their end costs 70 ms even if the connection is closed at the second one.
 */
function parseInSlices(socket: TLSSocket): void {
  const [parse] = socket.listeners('data') as [((chunk: Buffer) => void)?]
  if (parse === undefined) return
  socket.off('data', parse).on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && !socket.destroyed; at += slice) {
      if (socket.isPaused()) return void socket.unshift(chunk.subarray(at))
      parse(chunk.subarray(at, at + slice))
    }
  })
}
