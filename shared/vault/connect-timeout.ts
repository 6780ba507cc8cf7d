import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent, type RequestOptions } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** How long resolving a name and opening a TCP connection may take together: time for two more SYNs. */
export const connectTimeoutMs = 5_000

/**
 * Destroys a socket that is not connected in time, with the code that the operating system reports only after minutes. This
 * distinguishes a network that drops packets from a slow server.
 */
export function limitConnecting<T extends Duplex | null | undefined>(socket: T, timeoutMs = connectTimeoutMs): T {
  if (!(socket instanceof Socket) || !socket.connecting) return socket
  const expire = () => {
    const error = new Error(`no connection within ${timeoutMs / 1000} s`)
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
  }
  const timer = setTimeout(expire, timeoutMs)
  const stop = () => clearTimeout(timer)
  socket.once('connect', stop).once('close', stop)
  return socket
}

type Callback = (error: Error | null, stream: Duplex) => void

/** For connections to a server, or to a proxy in front of it. */
export class LimitedHttpsAgent extends HttpsAgent {
  override createConnection(options: RequestOptions, callback?: Callback): Duplex | null | undefined {
    return limitConnecting(super.createConnection(options, callback))
  }
}

export class LimitedHttpAgent extends HttpAgent {
  override createConnection(options: RequestOptions, callback?: Callback): Duplex | null | undefined {
    return limitConnecting(super.createConnection(options, callback))
  }
}
