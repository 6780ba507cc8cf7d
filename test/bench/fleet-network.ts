import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Clock } from '../../shared/clock.ts'
import {
  createReceiver,
  refusal,
  type Connect,
  type Connection,
  type ConnectionEnd,
  type ConnectionOptions,
} from '../../shared/coordination/connection.ts'
import { sessionPath } from '../../shared/coordination/limits.ts'

/**
 * What is between sidecars and a coordinator, in memory: the requests of sessions reach the coordinator's own server, and its
 * answers the sidecar's own reader, without a socket, for sockets would not wait for virtual time.
 */
export class FleetNetwork {
  readonly #clock: Clock
  readonly #links = new Set<Link>()
  #server: Server | undefined
  #isSilent = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many sessions there are, or requests for one. */
  get size(): number {
    return this.#links.size
  }

  /** Requests reach this server from now on. */
  attach(server: Server): void {
    this.#server = server
    this.#isSilent = false
  }

  /** The coordinator's process ends: its machine closes all connections, and refuses others. */
  kill(): void {
    this.#server = undefined
    for (const link of this.#links) link.end({ reason: 'socket hang up' })
  }

  /** The coordinator's machine is gone: nothing comes from there, not even the end of a connection. */
  silence(): void {
    this.#server = undefined
    this.#isSilent = true
    for (const link of this.#links) link.silence()
  }

  connect: Connect = (options) => {
    const link = new Link(options, this.#clock, () => this.#links.delete(link))
    this.#links.add(link)
    if (this.#isSilent) link.silence()
    else queueMicrotask(() => (this.#server ? link.open(this.#server) : link.end({ reason: 'ECONNREFUSED' })))
    return link
  }
}

/** One request: what `openConnection` does with it, and what Node makes of it for the server. */
class Link implements Connection {
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  readonly #onEnd: () => void
  readonly #receive: (chunk: Uint8Array) => void
  readonly #request = new EventEmitter()
  #response: EventEmitter | undefined
  #heardAt: number
  #isSilent = false
  #isEnded = false

  constructor(options: ConnectionOptions, clock: Clock, onEnd: () => void) {
    this.#options = options
    this.#clock = clock
    this.#onEnd = onEnd
    this.#receive = createReceiver(options, (one) => this.end(one))
    this.#heardAt = clock.elapsed()
  }

  open(server: Server): void {
    const { token } = this.#options
    const head = { method: 'POST', url: sessionPath, headers: { authorization: `Bearer ${token}` } }
    const request = Object.assign(this.#request, head)
    const response = Object.assign(new EventEmitter(), this.#answer())
    this.#response = response
    server.emit('request', request as unknown as IncomingMessage, response as unknown as ServerResponse)
  }

  send(line: string): void {
    this.#later(() => this.#request.emit('data', Buffer.from(line)))
  }

  leave(line: string): void {
    this.send(line)
    this.#later(() => this.#request.emit('close'))
  }

  close(): void {
    this.end({ reason: 'this program ended it' })
  }

  /** Ends both sides. */
  end(one: ConnectionEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#onEnd()
    if (!this.#isSilent) queueMicrotask(() => this.#response?.emit('close'))
    this.#options.onEnd(one)
  }

  /** Lets nothing through any more: the sidecar notices it when it has heard of nothing for long. */
  silence(): void {
    this.#isSilent = true
    const { silenceMs } = this.#options
    const rest = this.#heardAt + silenceMs - this.#clock.elapsed()
    void this.#clock
      .wait(rest, new AbortController().signal)
      .then(() => this.end({ reason: `nothing came for ${silenceMs / 1000} s` }))
  }

  /** The parts of a response that the server and its sessions use. */
  #answer() {
    return {
      writableLength: 0,
      writeHead: (status: number, headers: Record<string, string> = {}) => {
        if (status === 200) this.#later(() => this.#options.onOpen())
        else this.#later(() => this.end(refusal(status, headers)))
        return this.#response
      },
      flushHeaders: () => undefined,
      write: (text: string) =>
        this.#later(() => {
          this.#heardAt = this.#clock.elapsed()
          this.#receive(Buffer.from(text))
        }),
      end: () => this.#later(() => this.end({ reason: 'the coordinator closed the connection' })),
      destroy: () => this.end({ reason: 'socket hang up' }),
    }
  }

  /** Each side gets what the other one sent in its order, and not while it sends something itself. */
  #later(run: () => unknown): void {
    queueMicrotask(() => {
      if (!this.#isEnded && !this.#isSilent) run()
    })
  }
}
