import type { Clock } from './clock.ts'
import { longestRetryAfter, nextDelay, refreshDelay, refreshSpacing } from './schedule.ts'

/** What matters of a poll for when the next one comes. */
export interface PollOutcome {
  /** Whether something failed that a retry may cure, or anything at all while the pod waits for its first set. */
  failed: boolean
  /** What the vault asked for, in milliseconds. */
  retryAfter?: number
  /** Whether nothing failed but what somebody must cure. */
  refused?: boolean
}

export interface PollerOptions {
  poll: () => Promise<PollOutcome>
  /** Looked at anew before each wait. */
  situation: () => { interval: number; ready: boolean; suspended: boolean }
  /** Told of every wait after a failure, in milliseconds. */
  retrying: (failures: number, delay: number) => void
  clock: Pick<Clock, 'elapsed' | 'wait'>
  random: () => number
}

/** Polls one vault again and again, whatever happens to the others. */
export class Poller {
  /** Polls in a row that failed. */
  failures = 0
  /** When the next poll is due, on the clock that never goes back. */
  dueAt: number
  readonly #options: PollerOptions
  /** No request moves a poll before it: the vault asked for it. */
  #notBefore = 0
  #lastRefresh: number | undefined
  /** When a poll is due that was asked for and has not begun: suspension holds it back, and nothing else forgets it. */
  #asked: number | undefined
  #lastEnd: number | undefined
  #hasSucceeded = false
  #waiting = new AbortController()

  constructor(options: PollerOptions) {
    this.#options = options
    this.dueAt = options.clock.elapsed()
  }

  /** Polls when due until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const interrupt = () => this.#waiting.abort()
    signal.addEventListener('abort', interrupt)
    while (!signal.aborted) {
      await this.#untilDue(signal)
      if (!signal.aborted) await this.#poll()
    }
    signal.removeEventListener('abort', interrupt)
  }

  /** Polls as soon as politeness allows. */
  refresh(): void {
    const now = this.#options.clock.elapsed()
    // One poll answers all requests that came before it: they do not queue up.
    this.#asked ??= now + refreshDelay(now, this.#lastRefresh, this.#notBefore)
    this.#lastRefresh = this.#asked
    this.dueAt = Math.min(this.dueAt, this.#asked)
    this.#waiting.abort()
  }

  /** To be called when the situation changed: a new interval counts from the last poll on, and what is overdue comes soon. */
  reschedule(): void {
    const { clock, random, situation } = this.#options
    const { interval, ready } = situation()
    const { failures } = this
    if (this.#lastEnd !== undefined) {
      const soon = clock.elapsed() + random() * Math.min(interval, refreshSpacing)
      const due = Math.max(soon, this.#notBefore, this.#lastEnd + nextDelay({ interval, ready, failures }, random))
      // A retry comes no later for it; a shorter interval brings forward one that the longer put off.
      this.dueAt = Math.min(failures === 0 ? due : Math.min(due, this.dueAt), this.#asked ?? Infinity)
    }
    this.#waiting.abort()
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    const { clock, situation } = this.#options
    for (;;) {
      const { suspended, ready } = situation()
      const rest = suspended && ready ? Infinity : this.dueAt - clock.elapsed()
      if (rest <= 0 || signal.aborted) return
      this.#waiting = new AbortController()
      await clock.wait(rest, this.#waiting.signal)
    }
  }

  async #poll(): Promise<void> {
    const { poll, retrying, situation, clock, random } = this.#options
    this.#asked = undefined
    const { failed, retryAfter = 0, refused = false } = await poll()
    this.failures = failed ? this.failures + 1 : 0
    this.#lastEnd = clock.elapsed()
    this.#notBefore = this.#lastEnd + Math.min(retryAfter, longestRetryAfter)
    const first = !this.#hasSucceeded
    const delay = nextDelay({ ...situation(), failures: this.failures, first, retryAfter, refused }, random)
    this.#hasSucceeded ||= !failed
    // What was asked for during the poll may be about something that it looked at before.
    this.dueAt = Math.min(this.#lastEnd + delay, Math.max(this.#asked ?? Infinity, this.#notBefore))
    if (failed) retrying(this.failures, delay)
  }
}
