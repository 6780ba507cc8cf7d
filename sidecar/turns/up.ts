import type { Clock } from '../../shared/clock.ts'
import { formatDuration } from '../../shared/duration.ts'
import type { SignalTarget } from '../../shared/settings/schema.ts'
import { signals } from '../../shared/signals.ts'
import type { TargetProcess } from '../notify/notifier.ts'
import type { TurnHost } from '../poll/turns.ts'
import type { ReadinessWatch } from './readiness-watch.ts'

export interface UpWatchOptions {
  notifier: TurnHost['notifier']
  watchClosely: TurnHost['watchClosely']
  signal: SignalTarget | undefined
  /** Absent if nothing says whether the app is ready. */
  readiness: ReadinessWatch | undefined
  minReady: number
  timeout: number
  clock: Pick<Clock, 'now' | 'elapsed'>
}

/** The process that counts. Times are on the monotonic clock. */
interface Candidate {
  process: TargetProcess
  startedAt: number
  /** When it was last there. */
  seenAt: number
}

/** Processes that end within `minReady` after a switch until it counts as failed. */
const mostEnded = 3
/** Until the process of the app is found, in milliseconds. */
const settleMs = 5_000
/** After a restart of the sidecar, for so long an app that is ready may seem not to be, in addition to `minReady`. */
const leastLookMs = 60_000

/** Watches whether the app is up: it runs, was notified of what is served, and is ready. */
export class UpWatch {
  readonly #options: UpWatchOptions
  isUp = false
  /** Whether it was up, or this process switched: from then on, an app that is not up is down. */
  #hasSeen = false
  readonly #createdAt: number
  /** The last switch of which the app is notified. */
  #switch: { now: number; failsAt: number } | undefined
  /** When the app was notified of all that is served; it starts with what is served. */
  #notifiedAt: number | undefined = -Infinity
  #candidate: Candidate | undefined
  /** Processes that ended within `minReady` since the switch. */
  #ended = 0
  #isSeen = false
  /** The process that was last known to have ended. */
  #gone: TargetProcess | undefined

  constructor(options: UpWatchOptions) {
    this.#options = options
    this.#createdAt = options.clock.elapsed()
  }

  /** Whether {@link isUp} is a finding: a sidecar that has just started, or the app's first process, needs the time to look. */
  get isKnown(): boolean {
    if (this.#hasSeen) return true
    const { clock, minReady, readiness } = this.#options
    // Processes that end again and again are down, however young the last one is.
    const startedAt = this.#gone ? -Infinity : (this.#candidate?.startedAt ?? -Infinity)
    const since = Math.max(this.#createdAt, startedAt)
    return clock.elapsed() - since >= minReady + (readiness?.lookMs ?? 0) + settleMs
  }

  /** To be called after a switch. @param agoMs of an earlier process: how long ago it was, in milliseconds */
  switched(agoMs = 0): void {
    if (agoMs === 0) this.#hasSeen = true
    const { clock, timeout, minReady } = this.#options
    // However long ago it was, this process needs the time to look.
    const left = Math.max(timeout - agoMs, Math.min(timeout, minReady + leastLookMs))
    this.#switch = { now: clock.now() - agoMs, failsAt: clock.elapsed() + left }
    this.#notifiedAt = undefined
    this.#ended = 0
    this.#isSeen = false
    this.#replace(undefined)
    this.isUp = false
  }

  /** To be called once a second. @param isHeld whether a turn depends on it */
  check(isHeld: boolean): void {
    const { clock, notifier, watchClosely, signal, readiness, minReady } = this.#options
    watchClosely(isHeld)
    const { pending, targets, signaled, latest } = notifier()
    const now = clock.elapsed()
    const wasNotified = this.#notifiedAt !== undefined
    this.#notifiedAt = pending === undefined ? (this.#notifiedAt ?? now) : undefined
    if (wasNotified !== (pending === undefined)) this.#replace(undefined)
    if (signal && this.#notifiedAt !== undefined) {
      this.#follow(this.#choose(targets, signaled, signal), now)
      this.#countMissed(latest)
    }
    const isLasting =
      !signal || (this.#candidate !== undefined && this.#candidate.seenAt - this.#candidate.startedAt >= minReady)
    const isNotified = this.#notifiedAt !== undefined && now - this.#notifiedAt >= minReady
    readiness?.check(isHeld || !this.isUp)
    this.isUp = isNotified && isLasting && (readiness?.isReady ?? true)
    this.#hasSeen ||= this.isUp
  }

  /** Why the app does not come up after the switch; undefined as long as it may. */
  get failure(): string | undefined {
    const { clock, signal, readiness, minReady, timeout } = this.#options
    if (!this.#switch || this.isUp) return undefined
    if (signal && this.#ended >= mostEnded)
      return `three processes of container ${signal.container} ended within ${formatDuration(minReady)} after the signal ${signal.name}`
    const isSeen = this.#notifiedAt !== undefined && (!signal || this.#isSeen)
    if (!isSeen || clock.elapsed() < this.#switch.failsAt) return undefined
    const runs = !signal || this.#candidate
    const what = runs
      ? (readiness?.detail ?? `it has not run for ${formatDuration(minReady)} since it was notified`)
      : `no process of container ${signal.container} has run for ${formatDuration(minReady)}`
    return `not ready within ${formatDuration(timeout)}: ${what}`
  }

  /** The oldest process; after a signal that terminates, the oldest of those that it did not go to. */
  #choose(
    targets: readonly TargetProcess[],
    signaled: readonly TargetProcess[] | undefined,
    { name }: SignalTarget,
  ): TargetProcess | undefined {
    const switchedAt = this.#switch?.now
    const isOld = (one: TargetProcess): boolean => {
      if (switchedAt === undefined || !signals[name].terminates) return false
      // An earlier process of the sidecar sent the signal, soon after the switch.
      return signaled ? signaled.some((other) => isSame(one, other)) : (one.since ?? Infinity) < switchedAt
    }
    return targets.filter((one) => !isOld(one)).sort((one, other) => (one.since ?? 0) - (other.since ?? 0))[0]
  }

  #follow(process: TargetProcess | undefined, now: number): void {
    const { clock, minReady } = this.#options
    const last = this.#candidate
    if (last && process && isSame(last.process, process)) {
      last.seenAt = now
      return
    }
    if (last && last.seenAt - last.startedAt < minReady) this.#ended++
    this.#gone = last?.process ?? this.#gone
    if (last === undefined && process === undefined) return
    const age = process?.since === undefined ? 0 : Math.max(0, clock.now() - process.since)
    this.#replace(process && { process, startedAt: now - age, seenAt: now })
    this.#isSeen ||= process !== undefined
  }

  /** Counts a process that started and ended between two checks. */
  #countMissed(latest: TargetProcess | undefined): void {
    if (!latest || !this.#switch || (latest.since ?? 0) < this.#switch.now) return
    const isKnown = [this.#candidate?.process, this.#gone].some((known) => known && isSame(known, latest))
    if (isKnown) return
    this.#gone = latest
    this.#ended++
    this.#isSeen = true
  }

  #replace(candidate: Candidate | undefined): void {
    this.#candidate = candidate
    this.#options.readiness?.reset()
  }
}

/** How much the start time of a process may differ when it is computed again, in milliseconds. */
const startToleranceMs = 2_000

/** Compares the start time too, because pids are reused. */
const isSame = (one: TargetProcess, other: TargetProcess): boolean =>
  one.pid === other.pid &&
  (one.since === undefined || other.since === undefined || Math.abs(one.since - other.since) <= startToleranceMs)
