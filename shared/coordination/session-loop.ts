import type { Clock, Random } from '../clock.ts'
import type { Logger } from '../log.ts'
import { certificateProblem } from '../pem.ts'
import { printable } from '../printable.ts'
import { openConnection, type Connect, type Connection, type ConnectionEnd } from './connection.ts'
import type { CoordinatorEvent } from './events.ts'
import { reconnectDelay } from './reconnect.ts'
import { stateLines, type PodState } from './pod-state.ts'
import { formatReport, snapshotLines, type ServedObject } from './reports.ts'
import type { TurnState } from './turns.ts'

/** How a program reaches the coordinator. Durations are in milliseconds. */
export interface CoordinatorAccess {
  /** The coordinator's origin. */
  url: string
  /** PEM certificates to trust in place of the public ones. */
  caCertificates?: string | undefined
  /** A session without any event for so long is over. */
  coverageAge: number
  /** Over how long programs come back that lost their sessions at the same moment. */
  reconnect: number
}

export interface SessionLoopOptions {
  access: CoordinatorAccess
  /** Reads the pod's token for the coordinator, which the kubelet renews. */
  readToken: () => Promise<string>
  clock: Clock
  random: Random
  log: Logger
  connect?: Connect
  /** Keeps certificates that a coordinator asked to trust for the next process; without it, they are forgotten. */
  kept?: { read: () => Promise<string | undefined>; write: (caCertificates: string) => Promise<void> }
}

/** What sessions are for: what is served goes up, and events come down. */
export interface SessionUser {
  /** What the coordinator may watch. */
  served: () => ServedObject[]
  /** What the program has applied; absent for one that has no app. */
  state?: () => PodState
  /** The program's part in turns; absent for one that takes none. */
  turn?: () => TurnState | undefined
  /** Whether others wait for the program's next session: it comes back sooner. */
  isUrgent?: () => boolean
  /** Called when a snapshot is sent. */
  reported: (snapshot: number, objects: readonly ServedObject[]) => void
  take: (event: CoordinatorEvent) => void
  /** Called when a session ends. */
  disconnected: () => void
}

/** How often the token's file is looked at, in milliseconds. */
const tokenCheckMs = 300_000
/** The time after a state for each of its lines, in milliseconds: the rate of messages has a bound. */
const stateLineMs = 100
/** Over how long those come back at first for whom others wait, in milliseconds; it doubles with each attempt. */
const urgentMs = 2_000

/** Holds sessions with a coordinator, one after the other. */
export class SessionLoop {
  readonly #options: SessionLoopOptions
  readonly #user: SessionUser
  #connection: Connection | undefined
  /** Certificates that a coordinator asked to trust, in addition to those of the settings. */
  #trusted: string | undefined
  #isTrusted = true
  #snapshot = { number: 0, text: '' }
  /** The state that was sent last, and when the next may be sent on the monotonic clock. */
  #state = { number: 0, text: '', dueAt: 0 }
  /** The part in turns that was sent last. */
  #turn = ''
  #isChanged = true
  #token = { text: '', checkedAt: 0 }
  /** When the last session ended, or the program began, on the monotonic clock. */
  #failingSince: number
  #attempts = 0

  constructor(options: SessionLoopOptions, user: SessionUser) {
    this.#options = options
    this.#user = user
    this.#failingSince = options.clock.elapsed()
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  /** False if the last attempt failed because the coordinator's certificate is not trusted. */
  get isTrusted(): boolean {
    return this.#isTrusted
  }

  /** To be called when what is served may have changed. */
  changed(): void {
    this.#isChanged = true
  }

  /** To be called when the part in turns may have changed: it is sent at once. */
  turnChanged(): void {
    const turn = this.#connection && this.#user.turn?.()
    const text = turn ? formatReport({ type: 'turn', ...turn }) : ''
    if (text === '' || text === this.#turn) return
    this.#turn = text
    this.#connection?.send(text)
  }

  /** To be called once a second: sends what is served and applied if it changed, and the token if the kubelet renewed it. */
  check(): void {
    if (this.#connection && this.#isChanged) this.#report(this.#connection)
    this.turnChanged()
    const { clock } = this.#options
    if (this.#connection && clock.elapsed() >= this.#state.dueAt) this.#reportState(this.#connection)
    if (this.#connection && clock.elapsed() - this.#token.checkedAt >= tokenCheckMs) void this.#renew(this.#connection)
  }

  /** To be called when the process ends on purpose. */
  leave(): void {
    this.#connection?.leave(formatReport({ type: 'leaving' }))
  }

  /** Holds sessions until the signal aborts. */
  async run(abort: AbortSignal): Promise<void> {
    const { clock, random, kept } = this.#options
    this.#trust(await kept?.read().catch(() => undefined))
    // Pods of a workload start together.
    await clock.wait(this.#jitterMs() * random(), abort)
    while (!abort.aborted) {
      const end = await this.#session(abort)
      const failingMs = clock.elapsed() - this.#failingSince
      const delay = reconnectDelay(end, { failingMs, attempts: this.#attempts++, jitterMs: this.#jitterMs() }, random)
      await clock.wait(delay, abort)
    }
  }

  #jitterMs(): number {
    const { reconnect } = this.#options.access
    return this.#user.isUrgent?.() ? Math.min(reconnect, urgentMs * 2 ** Math.min(this.#attempts, 20)) : reconnect
  }

  /** Holds one session; resolves when it is over. */
  async #session(abort: AbortSignal): Promise<ConnectionEnd> {
    const { access, readToken, clock, log, connect = openConnection } = this.#options
    const token = await readToken().catch((error: Error) => error)
    if (token instanceof Error) return this.#ended({ reason: `the token cannot be read: ${token.message}` })
    this.#token = { text: token, checkedAt: clock.elapsed() }
    const { promise, resolve } = Promise.withResolvers<ConnectionEnd>()
    const connection = connect({
      url: access.url,
      caCertificates: [access.caCertificates, this.#trusted].filter(Boolean).join('\n') || undefined,
      token,
      silenceMs: access.coverageAge,
      onOpen: () => {
        this.#connection = connection
        this.#isTrusted = true
        this.#snapshot = { number: 0, text: '' }
        this.#state = { number: 0, text: '', dueAt: 0 }
        this.#turn = ''
        this.#isChanged = true
        this.#attempts = 0
        log.info({ event: 'coordinator', connected: true }, 'the session with the coordinator began')
        this.#report(connection)
        this.#reportState(connection)
        this.turnChanged()
      },
      onEvent: (event) => {
        if (event.name === 'welcome' && this.#trust(event.caCertificates)) this.#keep()
        if (event.name === 'heartbeat') connection.send(formatReport({ type: 'seen', heartbeat: event.number }))
        this.#user.take(event)
      },
      onEnd: resolve,
      clock,
    })
    const close = () => connection.close()
    abort.addEventListener('abort', close, { once: true })
    if (abort.aborted) close()
    const end = await promise
    abort.removeEventListener('abort', close)
    return this.#ended(end)
  }

  #ended(end: ConnectionEnd): ConnectionEnd {
    const { clock, log } = this.#options
    if (this.#connection) this.#failingSince = clock.elapsed()
    this.#connection = undefined
    this.#isTrusted = !end.isUntrusted
    this.#user.disconnected()
    log.info(
      { event: 'coordinator', connected: false },
      `no session with the coordinator, the vaults are polled: ${printable(end.reason).slice(0, 300)}`,
    )
    return end
  }

  /** Trusts certificates from the next session on; returns whether they are new. */
  #trust(caCertificates: string | undefined): boolean {
    const isKnown = [undefined, this.#trusted, this.#options.access.caCertificates].includes(caCertificates)
    if (isKnown || certificateProblem(caCertificates ?? '') !== undefined) return false
    this.#trusted = caCertificates
    return true
  }

  #keep(): void {
    const { kept, log } = this.#options
    kept?.write(this.#trusted ?? '').catch((error: Error) => {
      log.warn({ event: 'coordinator' }, `cannot keep the coordinator's certificates: ${error.message}`)
    })
  }

  /** Sends what is served, if it differs from the last snapshot. */
  #report(connection: Connection): void {
    this.#isChanged = false
    const objects = this.#user.served()
    const text = JSON.stringify(objects)
    if (text === this.#snapshot.text) return
    const number = this.#snapshot.number + 1
    this.#snapshot = { number, text }
    this.#user.reported(number, objects)
    for (const line of snapshotLines(number, objects)) connection.send(line)
  }

  /** Sends what is applied, if it differs from the last state. */
  #reportState(connection: Connection): void {
    const state = this.#user.state?.()
    if (!state) return
    const text = JSON.stringify(state)
    if (text === this.#state.text) return
    const number = this.#state.number + 1
    const lines = stateLines(number, state)
    this.#state = { number, text, dueAt: this.#options.clock.elapsed() + lines.length * stateLineMs }
    for (const line of lines) connection.send(line)
  }

  async #renew(connection: Connection): Promise<void> {
    this.#token.checkedAt = this.#options.clock.elapsed()
    const token = await this.#options.readToken().catch(() => this.#token.text)
    if (token === this.#token.text) return
    this.#token.text = token
    connection.send(formatReport({ type: 'token', token }))
  }
}
