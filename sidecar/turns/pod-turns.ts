import type { Clock, Random } from '../../shared/clock.ts'
import type { Halt, TurnEvent, TurnPhase, TurnState } from '../../shared/coordination/turns.ts'
import type { SourceRecord } from '../../shared/detect/sources.ts'
import type { Logger } from '../../shared/log.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { TurnSettings } from '../../shared/settings/schema.ts'
import type { HeldTurn, SetDifference, TurnGate, TurnHost, Turns, TurnStatus } from '../poll/turns.ts'
import type { Manifest } from '../volume/manifest.ts'
import type { Volume } from '../volume/volume.ts'
import { Alone } from './alone.ts'
import { formatKept, parseKept, type TurnEnd } from './kept-turns.ts'
import { createRequest, haltOf, isWaiting, restoreRequest, statusOf, type Request } from './request.ts'
import { turnLog } from './turn-log.ts'
import type { UpWatch } from './up.ts'
import { wantedSet } from './wanted-set.ts'

export interface PodTurnsOptions {
  settings: TurnSettings
  notify: Pick<Settings['notify'], 'splay'>
  volume: Pick<Volume, 'kept' | 'keep'>
  up: UpWatch
  clock: Pick<Clock, 'now' | 'elapsed'>
  random: Random
  log: Pick<Logger, 'info' | 'warn'>
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
  /** How the last turn ended. */
  #end: TurnEnd | undefined
  #members = 1
  #refreshedAt = -Infinity
  /** Versions that were switched in since the app was up last. */
  #unproven: readonly string[] = []
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
    const text = await this.#options.volume.kept('turns').catch(() => undefined)
    const { halts, end } = parseKept(text ?? '')
    this.#halts = halts
    this.#end = end
    this.#isActive = true
  }

  restored(manifest: Manifest): void {
    const { clock, up } = this.#options
    const request = restoreRequest(manifest, this.#end, clock)
    if (!request || (request.phase === 'done' && request.isEnded)) return
    this.#request = request
    if (request.phase === 'done') return
    this.#unproven = request.versions
    up.switched(clock.elapsed() - request.switchedAt)
  }

  ask(difference: SetDifference, cache: Parameters<TurnGate['ask']>[1]): boolean {
    if (!this.#isActive) return true
    const { clock } = this.#options
    const wanted = wantedSet(difference, cache, this.#unproven)
    const last = this.#request
    if (last?.key === wanted.key && this.#isGoing) {
      if (!last.isHealing || !this.#options.up.isUp) return true
      this.#enter(last, 'waiting')
    }
    this.#isGoing = false
    if (this.#host.isSuspended()) {
      this.withdraw()
      return false
    }
    this.served = wanted.served
    const isRefresh = clock.elapsed() - this.#refreshedAt < refreshMs
    if (last?.key === wanted.key && isWaiting(last)) {
      last.isRefresh ||= isRefresh
    } else {
      this.#request = createRequest(wanted, isRefresh, last, clock)
      this.#answer = undefined
    }
    this.#host.changed()
    return false
  }

  withdraw(): void {
    if (!this.#isGoing && this.#request && isWaiting(this.#request)) this.#clear()
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
      this.#unproven = this.#request.versions
      this.#enter(this.#request, 'switched')
    } else {
      this.withdraw()
    }
    this.#host.changed()
  }

  refreshed(): void {
    this.#refreshedAt = this.#options.clock.elapsed()
  }

  take(event: TurnEvent): void {
    this.#members = event.members
    this.#keepHalts(event.halts)
    if (this.#request && this.#request.id === event.id && !this.#isGoing) this.#follow(this.#request, event)
    this.#host.changed()
  }

  #follow(request: Request, event: TurnEvent): void {
    const { answer } = event
    this.#answer = event
    if (answer === 'granted' && request.phase === 'waiting') {
      request.take++
      request.isHealing = !this.#options.up.isUp
      this.#enter(request, 'taken')
    } else if (answer === 'acknowledged' && request.phase === 'taken' && event.take === request.take) {
      const isLate = this.#options.clock.elapsed() - request.phaseSince > acknowledgeMs
      if (isLate) this.#enter(request, 'waiting')
      else this.#go(request)
    } else if (answer === 'ended' && (request.phase === 'done' || request.phase === 'failed')) {
      this.#ended(request)
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
      const isLate = request.phase === 'taken' && clock.elapsed() - request.phaseSince > acknowledgeMs
      if (this.#host.isSuspended()) this.withdraw()
      else if (isLate) this.#enter(request, 'waiting')
      this.#checkEnd(request)
      this.#checkAlone()
    }
    this.#host.changed()
    this.#log(this.status(), this.#request?.objects)
  }

  get isUrgent(): boolean {
    return this.#request !== undefined && !this.#request.isEnded
  }

  state(): TurnState {
    const { settings, up, clock } = this.#options
    const { maxUnavailable, timeout: timeoutMs } = settings
    const state = { maxUnavailable, timeoutMs, isUp: up.isUp, halts: this.#halts }
    if (!this.#request || this.#request.isEnded) return state
    // A pod that is down gets its turn at once, so a state that is only not known yet must not look like it.
    if (this.#request.phase === 'waiting' && !up.isKnown) return state
    const { id, versions, haltable, objects, phase, take, isRefresh, cause, switchedAt } = this.#request
    const isRepair = haltable.length < versions.length && !haltOf(this.#request, this.#halts)
    const own = {
      ...{ id, versions, objects, phase, take, isRefresh },
      ...(isRepair && { isRepair }),
      ...(cause !== undefined && { cause }),
    }
    // Time that passes is no change: the coordinator counts on by itself.
    const text = JSON.stringify([state, own])
    if (text !== this.#reported.text) {
      const heldMs = isWaiting({ phase }) ? 0 : Math.round(clock.elapsed() - switchedAt)
      this.#reported = { text, heldMs }
    }
    return { ...state, request: { ...own, heldMs: this.#reported.heldMs } }
  }

  status(): TurnStatus {
    const isConnected = this.#host.isConnected()
    return statusOf(this.#request, {
      ...{ answer: this.#answer, halts: this.#halts, isConnected },
      clock: this.#options.clock,
    })
  }

  #checkEnd(request: Request): void {
    const { up } = this.#options
    if (request.phase !== 'switched' && request.phase !== 'failed') return
    if (up.isUp) this.#finish(request, 'done')
    else if (request.phase === 'switched' && up.failure !== undefined) this.#finish(request, 'failed', up.failure)
  }

  #checkAlone(): void {
    const request = this.#request
    if (this.#host.isConnected()) return
    if (request?.phase !== 'waiting' || haltOf(request, this.#halts)) this.#alone.reset()
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
    if (phase === 'done') this.#unproven = []
    this.#end = { id: request.id, phase, ...(cause !== undefined && { cause }), isEnded: false }
    this.#enter(request, phase)
    this.#keep()
  }

  /** The coordinator knows how the turn ended; one that failed may still be done. */
  #ended(request: Request): void {
    if (!request.isEnded && this.#end?.id === request.id) {
      this.#end.isEnded = true
      this.#keep()
    }
    request.isEnded = true
    if (request.phase === 'done') this.#clear()
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
    this.#options.volume.keep('turns', formatKept(kept)).catch((error: Error) => {
      this.#options.log.warn({ event: 'turn' }, `could not write what is known of turns: ${error.message}`)
    })
  }
}
