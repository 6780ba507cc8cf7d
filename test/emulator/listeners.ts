import type { Server as HttpServer } from 'node:http'
import { createServer, type Server as HttpsServer } from 'node:https'
import type { RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { makeProxy } from './proxy.ts'
import type { Pair } from './tls.ts'

interface Listener {
  server: HttpServer | HttpsServer
  address: string
  port: number
  closeConnections: () => void
}

/** The emulator's open ports, which can all vanish and come back. */
export class Listeners {
  #all: Listener[] = []
  #pair: Pair

  constructor(pair: Pair) {
    this.#pair = pair
  }

  /** Opens a TLS port (0: a free one), and returns its number. */
  async https(handler: RequestListener, address: string, port: number): Promise<number> {
    const server = createServer({ cert: this.#pair.cert, key: this.#pair.key }, handler)
    // A client that does not trust the certificate, or goes away, is no error here.
    server.on('tlsClientError', (_error, socket: Socket) => socket.destroy())
    return this.#open({ server, address, port, closeConnections: () => server.closeAllConnections() })
  }

  /** Opens a plain HTTP port for `server`. */
  async http(server: HttpServer, address: string, port: number, closeConnections = () => {}): Promise<number> {
    return this.#open({
      ...{ server, address, port },
      closeConnections: () => {
        server.closeAllConnections()
        closeConnections()
      },
    })
  }

  /** Opens a proxy to the port that `target` names. */
  async proxy(target: () => number, address: string, port: number): Promise<number> {
    const { server, closeConnections } = makeProxy(target)
    return this.http(server, address, port, closeConnections)
  }

  /** Serves another certificate from the next connection on. */
  use(pair: Pair): void {
    this.#pair = pair
    for (const { server } of this.#all)
      if ('setSecureContext' in server) server.setSecureContext({ cert: pair.cert, key: pair.key })
  }

  /** Closes every port, open connections included: from then on connections are refused. */
  async close(): Promise<void> {
    await Promise.all(
      this.#all.map(({ server, closeConnections }) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        server.close(() => resolve())
        closeConnections()
        return promise
      }),
    )
  }

  /** Opens the same ports again. */
  async reopen(): Promise<void> {
    await Promise.all(this.#all.map(listen))
  }

  async #open(listener: Listener): Promise<number> {
    await listen(listener)
    listener.port = (listener.server.address() as AddressInfo).port
    this.#all.push(listener)
    return listener.port
  }
}

async function listen({ server, address, port }: Listener): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(port, address, () => {
    server.off('error', reject)
    resolve()
  })
  await promise
}
