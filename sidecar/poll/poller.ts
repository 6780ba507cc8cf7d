import type { Clock, Random } from '../../shared/clock.ts'
import { longestRetryAfterMs } from '../../shared/vault/http-answer.ts'
import type { PollOutcome } from './outcome.ts'
import { nextDelay, refreshDelay, refreshSpacingMs, type Situation } from '../../shared/detect/schedule.ts'

/** The part of an outcome that decides when the next poll comes. */
export type PollEnd = Pick<PollOutcome, 'failed' | 'retryAfter' | 'refused'>

export interface PollerOptions {
  /** @param isHinted true if only what a coordinator named is to be read */
  poll: (isHinted: boolean) => Promise<PollEnd>
  /** Evaluated before each wait. */
  situation: () => Pick<Situation, 'interval' | 'coveredInterval' | 'ready'> & { suspended: boolean }
  /** Called with every delay after a failure, in milliseconds. */
  retrying: (failures: number, delay: number) => void
  clock: Pick<Clock, 'elapsed' | 'wait'>
  random: Random
}

/** Polls one vault repeatedly, independently of the others. */
export class Poller {
  /** Consecutive failed polls. */
  failures = 0
  /** When the next poll is due, on the monotonic clock. */
  dueAt: number
  readonly #options: PollerOptions
  /** Requests do not move a poll before this time, which the vault asked for. */
  #notBefore = 0
  #lastRefresh: number | undefined
  /** When a requested poll that has not begun is due; only suspension delays it. */
  #requested: number | undefined
  /** When a poll of what a coordinator named is due. */
  #hintedAt = Infinity
  #lastEnd: number | undefined
  #hasSucceeded = false
  #waiting = new AbortController()

  constructor(options: PollerOptions) {
    this.#options = options
    this.dueAt = options.clock.elapsed()
  }

  /** Polls when due until the signal aborts. */
  async run(abort: AbortSignal): Promise<void> {
    const interrupt = () => this.#waiting.abort()
    abort.addEventListener('abort', interrupt)
    while (!abort.aborted) {
      await this.#untilDue(abort)
      if (!abort.aborted) await this.#poll()
    }
    abort.removeEventListener('abort', interrupt)
  }

  /** Requests a poll, which comes as soon as the spacing of requests allows. */
  refresh(): void {
    const now = this.#options.clock.elapsed()
    // One poll serves all requests that came before it: they do not queue up.
    this.#requested ??= now + refreshDelay(now, this.#lastRefresh, this.#notBefore)
    this.#lastRefresh = this.#requested
    this.dueAt = Math.min(this.dueAt, this.#requested)
    this.#waiting.abort()
  }

  /** To be called when the situation has changed: a new interval counts from the last poll, and an overdue poll comes soon. */
  reschedule(): void {
    const { clock, random, situation } = this.#options
    const { interval, coveredInterval, ready } = situation()
    const { failures } = this
    if (this.#lastEnd !== undefined) {
      const soon = clock.elapsed() + random() * Math.min(interval, refreshSpacingMs)
      const due = Math.max(
        soon,
        this.#notBefore,
        this.#lastEnd + nextDelay({ interval, coveredInterval, ready, failures }, random),
      )
      // This never delays a retry; a shorter interval brings forward a poll that the longer one postponed.
      this.dueAt = Math.min(failures === 0 ? due : Math.min(due, this.dueAt), this.#requested ?? Infinity)
    }
    this.#waiting.abort()
  }

  /** Requests a poll of what a coordinator named, after a number of milliseconds; an earlier request stays. */
  hint(delayMs: number): void {
    const { clock } = this.#options
    this.#hintedAt = Math.max(Math.min(this.#hintedAt, clock.elapsed() + delayMs), this.#notBefore)
    this.#waiting.abort()
  }

  /**
   * To be called when a coordinator does not announce changes any more: a whole fleet loses its coordinator at the same moment, so
   * the next poll comes after a random part of what is between two polls. That includes the jitter: after the same part of the
   * interval alone, the last of the first polls would meet the first of the second ones.
   * @param isSpaced true if it also comes no earlier than one interval after the last poll
   */
  uncovered(isSpaced: boolean): void {
    const { clock, random, situation } = this.#options
    const { interval } = situation()
    const drawn = clock.elapsed() + random() * nextDelay({ interval, ready: true, failures: 0 }, random)
    const spaced = isSpaced ? (this.#lastEnd ?? 0) + interval : 0
    this.dueAt = Math.min(this.dueAt, Math.max(drawn, spaced, this.#notBefore))
    this.#waiting.abort()
  }

  async #untilDue(abort: AbortSignal): Promise<void> {
    const { clock, situation } = this.#options
    for (;;) {
      const { suspended, ready } = situation()
      const rest = suspended && ready ? Infinity : Math.min(this.dueAt, this.#hintedAt) - clock.elapsed()
      if (rest <= 0 || abort.aborted) return
      this.#waiting = new AbortController()
      await clock.wait(rest, this.#waiting.signal)
    }
  }

  async #poll(): Promise<void> {
    const { poll, retrying, situation, clock, random } = this.#options
    const isHinted = this.dueAt > clock.elapsed()
    const dueAt = isHinted ? this.dueAt : Infinity
    if (!isHinted) this.#requested = undefined
    this.#hintedAt = Infinity
    const { failed, retryAfter = 0, refused = false } = await poll(isHinted)
    this.failures = failed ? this.failures + 1 : 0
    this.#lastEnd = clock.elapsed()
    this.#notBefore = this.#lastEnd + Math.min(retryAfter, longestRetryAfterMs)
    const first = !this.#hasSucceeded
    const delay = nextDelay({ ...situation(), failures: this.failures, first, retryAfter, refused }, random)
    this.#hasSucceeded ||= !failed
    // A request made during the poll may concern something that the poll had read before.
    const requested = Math.max(this.#requested ?? Infinity, this.#notBefore)
    // An ordinary poll stays due when it was, unless the vault asks to wait.
    const ordinary = failed ? this.#lastEnd + delay : Math.min(dueAt, this.#lastEnd + delay)
    this.dueAt = Math.min(ordinary, requested)
    this.#hintedAt = Math.max(this.#hintedAt, this.#notBefore)
    if (failed) retrying(this.failures, delay)
  }
}
