import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'

export interface ConnectionLimits {
  /** Open connections of all remote addresses together. */
  total: number
  /** Open connections of one remote address. */
  perAddress: number
  /** True if a connection that waits for its response may be closed too. Default: false. */
  closeBusy?: boolean
  /** Milliseconds from a connection's acceptance to its end, whatever it does. Default: not limited. */
  lifetimeMs?: number
  /** Called for each connection that is closed by one of these limits. */
  onClosed?: (limit: 'total' | 'perAddress' | 'lifetime') => void
}

interface Connection {
  /** The TCP connection, even if TLS runs over it. */
  socket: Socket
  address: string
  /** The last request and its response, until that is sent. */
  exchange?: { request: IncomingMessage; response: ServerResponse }
}

/** What a connection does; the first in this list is given up first. */
const work = { none: 0, receiving: 1, answering: 2 } as const

/**
 * Bounds the open connections of a TCP, HTTP or HTTPS server, so that clients that only hold connections open keep no other
 * client out: a new connection is let in, and the one that has done no work for longest is closed instead. The remote
 * address with the most such connections loses one, which spares a client that opens few. A connection that sends a
 * request body outranks one that sends nothing or does not read its answer, and one that waits for its answer is closed only
 * with `closeBusy`; if nothing else is left, the new connection is closed.
 *
 * How long a client may take is the server's own setting (`headersTimeout`, `requestTimeout`, `handshakeTimeout`, and
 * `connectionsCheckingInterval`, which is 30 s by default and too long for a server under attack).
 */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  const { total, perAddress, closeBusy = false, lifetimeMs, onClosed } = limits
  /** The connection that has been inactive for longest comes first. */
  const open = new Set<Connection>()
  const bySocket = new WeakMap<object, Connection>()

  // All TCP connections, those included that never finish a TLS handshake.
  server.prependListener('connection', accept)
  server.on('secureConnection', (secure: Socket) => {
    const connection = open.values().find(({ socket }) => isSame(socket, secure))
    if (connection) bySocket.set(secure, connection)
  })
  server.prependListener('request', began)

  function accept(socket: Socket): void {
    const connection: Connection = { socket, address: socket.remoteAddress ?? '' }
    const neighbors = [...open].filter(({ address }) => address === connection.address)
    // Not closed at once: the server's own listeners are still to be called with it.
    const refuse = (limit: 'total' | 'perAddress') => queueMicrotask(() => close(connection, limit))
    const give = (from: Iterable<Connection>, limit: 'total' | 'perAddress') => {
      const victim = leastWorthy(from, closeBusy)
      if (victim) close(victim, limit)
      else refuse(limit)
    }
    if (neighbors.length >= perAddress) give(neighbors, 'perAddress')
    else if (open.size >= total) give(open, 'total')
    open.add(connection)
    bySocket.set(socket, connection)
    const timer =
      lifetimeMs === undefined ? undefined : setTimeout(() => close(connection, 'lifetime'), lifetimeMs).unref()
    socket.once('close', () => {
      clearTimeout(timer)
      open.delete(connection)
    })
  }

  function began(request: IncomingMessage, response: ServerResponse): void {
    const connection = bySocket.get(request.socket)
    if (!connection) return
    connection.exchange = { request, response }
    response.once('close', () => {
      if (connection.exchange?.request !== request) return
      delete connection.exchange
      // It is inactive from now on, so it goes to the end of the line.
      if (open.delete(connection)) open.add(connection)
    })
  }

  function close(connection: Connection, limit: 'total' | 'perAddress' | 'lifetime'): void {
    if (!open.delete(connection)) return
    onClosed?.(limit)
    // A reset, so that no closed connection stays behind in the kernel's TIME_WAIT.
    connection.socket.resetAndDestroy()
  }
}

/**
 * Returns the connection to give up; undefined if none may be closed. The list is in the order in which they became
 * inactive.
 */
function leastWorthy(connections: Iterable<Connection>, closeBusy: boolean): Connection | undefined {
  const candidates = [...connections].filter((connection) => closeBusy || workOf(connection) < work.answering)
  const counts = new Map<string, number>()
  for (const { address } of candidates) counts.set(address, (counts.get(address) ?? 0) + 1)
  const most = Math.max(...counts.values())
  const [first] = candidates
    .filter(({ address }) => counts.get(address) === most)
    // The sort is stable: among equal ones, the oldest stays first.
    .sort((a, b) => workOf(a) - workOf(b))
  return first
}

function workOf({ exchange }: Connection): number {
  // A response that is complete but not sent waits for a client that does not read it.
  if (exchange === undefined || exchange.response.writableEnded) return work.none
  return exchange.request.complete ? work.answering : work.receiving
}

const isSame = (a: Socket, b: Socket): boolean =>
  a.remotePort === b.remotePort && a.remoteAddress === b.remoteAddress && a.localAddress === b.localAddress
