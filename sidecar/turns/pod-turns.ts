import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '../../shared/clock.ts'
import {
  parseTurnRequest,
  type Halt,
  type TurnEvent,
  type TurnPhase,
  type TurnState,
} from '../../shared/coordination/turns.ts'
import type { SourceRecord } from '../../shared/detect/sources.ts'
import type { Logger } from '../../shared/log.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { TurnSettings } from '../../shared/settings/schema.ts'
import type { HeldTurn, SetDifference, TurnGate, TurnHost, Turns, TurnStatus } from '../poll/turns.ts'
import type { Manifest } from '../volume/manifest.ts'
import type { Volume } from '../volume/volume.ts'
import { Alone } from './alone.ts'
import { formatKept, parseKept, type TurnEnd } from './kept-turns.ts'
import { turnLog } from './turn-log.ts'
import type { UpWatch } from './up.ts'
import { wantedSet } from './wanted-set.ts'

export interface PodTurnsOptions {
  settings: TurnSettings
  notify: Pick<Settings['notify'], 'splay'>
  volume: Pick<Volume, 'turns' | 'keepTurns'>
  up: UpWatch
  clock: Pick<Clock, 'now' | 'elapsed'>
  random: Random
  log: Pick<Logger, 'info' | 'warn'>
  createId?: () => string
}

/** A request, with what only the sidecar knows of it. Times are on the monotonic clock. */
interface Request extends HeldTurn {
  /** {@link wantedSet} */
  key: string
  phase: TurnPhase
  /** When the phase began, and the same in milliseconds since 1970. */
  phaseSince: number
  since: number
  /** When a set began to wait: this one, or one that it replaced. */
  waitsSince: number
  switchedAt: number
  cause?: string | undefined
  /** Whether the coordinator knows how it ended. */
  isEnded: boolean
}

/** An acknowledgment is followed only for so long after the turn was taken, in milliseconds. */
const acknowledgeMs = 5_000
/** The poll that a person requested comes within this time, in milliseconds. */
const refreshMs = 120_000

/** Requests turns, takes them, and says how they ended. Nothing that a coordinator sends changes a file by itself. */
export class PodTurns implements Turns {
  readonly #options: PodTurnsOptions
  readonly #host: TurnHost
  readonly #alone: Alone
  readonly #log: (status: TurnStatus, objects?: string) => void
  #isActive = false
  #request: Request | undefined
  /** Whether the set that waits may be switched in: nothing that is received changes the request meanwhile. */
  #isGoing = false
  #answer: TurnEvent | undefined
  #halts: Halt[] = []
  #end: TurnEnd | undefined
  #members = 1
  #refreshedAt = -Infinity
  #reported = { text: '', heldMs: 0 }
  served: ReadonlyMap<string, SourceRecord | undefined> = new Map()

  constructor(options: PodTurnsOptions, host: TurnHost) {
    const { clock, random, settings, notify, log } = options
    this.#options = options
    this.#host = host
    this.#alone = new Alone({ clock, random, splay: notify.splay, timeout: settings.timeout })
    this.#log = turnLog(log, clock)
  }

  async begin(): Promise<void> {
    const text = await this.#options.volume.turns().catch(() => undefined)
    const { halts, end } = parseKept(text ?? '')
    this.#halts = halts
    this.#end = end
    this.#isActive = true
  }

  restored({ turn, switchedAt }: Manifest): void {
    const held = parseTurnRequest({ ...(turn as object | undefined), phase: 'switched', heldMs: 0 })
    const end = held && this.#end?.id === held.id ? this.#end : undefined
    if (!held || end?.phase === 'done') return
    const { clock, up } = this.#options
    const agoMs = Math.max(0, clock.now() - switchedAt)
    const began = clock.elapsed() - agoMs
    const times = { phaseSince: began, since: switchedAt, waitsSince: began, switchedAt: began }
    const { phase, cause } = end ?? { phase: 'switched' as const }
    this.#request = { ...held, ...times, key: held.versions.join(' '), phase, cause, isEnded: false }
    up.switched(agoMs)
  }

  ask(difference: SetDifference, cache: Parameters<TurnGate['ask']>[1]): boolean {
    if (!this.#isActive) return true
    const { key, versions, objects, served } = wantedSet(difference, cache)
    const last = this.#request
    if (last?.key === key && this.#isGoing) return true
    this.#isGoing = false
    if (this.#host.isSuspended()) {
      this.withdraw()
      return false
    }
    this.served = served
    const isRefresh = this.#options.clock.elapsed() - this.#refreshedAt < refreshMs
    if (last?.key === key && isWaiting(last)) {
      last.isRefresh ||= isRefresh
    } else {
      const { createId = randomId, clock } = this.#options
      const now = { phaseSince: clock.elapsed(), since: clock.now() }
      const waitsSince = last && isWaiting(last) ? last.waitsSince : now.phaseSince
      const state = { phase: 'waiting' as const, take: 0, switchedAt: 0, isEnded: false }
      this.#request = { id: createId(), key, versions, objects, isRefresh, waitsSince, ...now, ...state }
      this.#answer = undefined
    }
    this.#host.changed()
    return false
  }

  withdraw(): void {
    if (this.#isGoing || !this.#request || !isWaiting(this.#request)) return
    this.#clear()
  }

  get held(): HeldTurn | undefined {
    if (!this.#isGoing || !this.#request) return undefined
    const { id, versions, objects, take, isRefresh } = this.#request
    return { id, versions, objects, take, isRefresh }
  }

  switched(isNotified: boolean): void {
    const { up, clock } = this.#options
    this.served = new Map()
    if (isNotified) up.switched()
    if (this.#isGoing && this.#request) {
      this.#isGoing = false
      this.#request.switchedAt = clock.elapsed()
      this.#enter(this.#request, 'switched')
    } else {
      this.withdraw()
    }
    this.#host.changed()
  }

  refreshed(): void {
    this.#refreshedAt = this.#options.clock.elapsed()
  }

  take({ id, answer, take, members, halts, ...said }: TurnEvent): void {
    const request = this.#request
    this.#members = members
    this.#keepHalts(halts)
    if (!request || this.#isGoing || id !== request.id || answer === undefined) return
    this.#answer = { id, answer, members, halts, ...said }
    if (answer === 'granted' && request.phase === 'waiting') {
      request.take++
      this.#enter(request, 'taken')
    } else if (answer === 'acknowledged' && request.phase === 'taken' && take === request.take) {
      if (this.#options.clock.elapsed() - request.phaseSince <= acknowledgeMs) this.#go(request)
      else this.#enter(request, 'waiting')
    } else if (answer === 'ended' && (request.phase === 'done' || request.phase === 'failed')) {
      request.isEnded = true
      if (request.phase === 'done') this.#clear()
    }
  }

  disconnected(): void {
    this.#reported = { text: '', heldMs: 0 }
    this.#answer = undefined
    if (this.#request?.phase === 'taken' && !this.#isGoing) this.#enter(this.#request, 'waiting')
  }

  check(): void {
    const { up, clock } = this.#options
    const request = this.#request
    up.check(request?.phase === 'switched' || request?.phase === 'failed')
    if (this.#host.isConnected()) this.#alone.connected()
    if (request && !this.#isGoing) {
      if (isWaiting(request) && this.#host.isSuspended()) this.#clear()
      else if (request.phase === 'taken' && clock.elapsed() - request.phaseSince > acknowledgeMs)
        this.#enter(request, 'waiting')
      else this.#checkEnd(request)
      this.#checkAlone()
    }
    this.#host.changed()
    this.#log(this.status(), this.#request?.objects)
  }

  state(): TurnState {
    const { settings, up, clock } = this.#options
    const { maxUnavailable, timeout: timeoutMs } = settings
    const state = { maxUnavailable, timeoutMs, isUp: up.isUp, halts: this.#halts }
    if (!this.#request || this.#request.isEnded) return state
    const { id, versions, objects, phase, take, isRefresh, cause, switchedAt } = this.#request
    const own = { id, versions, objects, phase, take, isRefresh, ...(cause !== undefined && { cause }) }
    // Time that passes is no change: the coordinator counts on by itself.
    const text = JSON.stringify([state, own])
    if (text !== this.#reported.text) {
      const heldMs = isWaiting({ phase }) ? 0 : Math.round(clock.elapsed() - switchedAt)
      this.#reported = { text, heldMs }
    }
    return { ...state, request: { ...own, heldMs: this.#reported.heldMs } }
  }

  status(): TurnStatus {
    const request = this.#request
    const base = { halts: this.#halts, waitingMs: 0 }
    if (!request || request.phase === 'done') return { ...base, state: 'none' }
    const { phase, since, cause, waitsSince } = request
    if (!isWaiting(request)) return { ...base, state: phase, since, ...(cause && { reason: cause }) }
    const waitingMs = Math.max(0, this.#options.clock.elapsed() - waitsSince)
    const { place, reason } = this.#answer ?? {}
    const halt = this.#haltOf(request)
    const why = halt?.reason ?? reason ?? (this.#host.isConnected() ? undefined : 'no session with the coordinator')
    return {
      ...{ ...base, since, waitingMs },
      state: halt && phase === 'waiting' ? 'halted' : phase,
      ...(place !== undefined && { place }),
      ...(why !== undefined && { reason: why }),
    }
  }

  #haltOf = ({ versions }: Request): Halt | undefined =>
    this.#halts.find((halt) => halt.versions.some((one) => versions.includes(one)))

  #checkEnd(request: Request): void {
    const { up } = this.#options
    if (request.phase !== 'switched' && request.phase !== 'failed') return
    if (up.isUp) this.#finish(request, 'done')
    else if (request.phase === 'switched' && up.failure !== undefined) this.#finish(request, 'failed', up.failure)
  }

  #checkAlone(): void {
    const request = this.#request
    if (this.#host.isConnected()) return
    if (request?.phase !== 'waiting' || this.#haltOf(request)) this.#alone.reset()
    else if (this.#alone.isDue(request.waitsSince, this.#members)) this.#go(request)
  }

  /** Has the set switched in, whatever is to be switched in by then. */
  #go({ id }: Request): void {
    this.#isGoing = true
    void this.#host.retry().finally(() => {
      if (this.#request?.id !== id || !this.#isGoing) return
      // It could not be switched in: the next poll requests a turn again if it still has to be.
      this.#isGoing = false
      this.withdraw()
    })
  }

  #finish(request: Request, phase: TurnEnd['phase'], cause?: string): void {
    request.cause = cause
    request.isEnded = false
    this.#end = { id: request.id, phase, ...(cause !== undefined && { cause }) }
    this.#enter(request, phase)
    this.#keep()
  }

  #enter(request: Request, phase: TurnPhase): void {
    const { clock } = this.#options
    Object.assign(request, { phase, phaseSince: clock.elapsed(), since: clock.now() })
    this.#host.changed()
  }

  #clear(): void {
    this.#request = undefined
    this.#answer = undefined
    this.served = new Map()
    this.#host.changed()
  }

  #keepHalts(halts: Halt[]): void {
    if (JSON.stringify(halts) === JSON.stringify(this.#halts)) return
    this.#halts = halts
    this.#keep()
  }

  /** Without the file, a later process learns of halts from the coordinator. */
  #keep(): void {
    const kept = { halts: this.#halts, ...(this.#end && { end: this.#end }) }
    this.#options.volume.keepTurns(formatKept(kept)).catch((error: Error) => {
      this.#options.log.warn({ event: 'turn' }, `could not write what is known of turns: ${error.message}`)
    })
  }
}

const randomId = (): string => randomBytes(16).toString('base64url')
const isWaiting = ({ phase }: Pick<Request, 'phase'>): boolean => phase === 'waiting' || phase === 'taken'
