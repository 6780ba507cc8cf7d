import type { Clock } from '../../shared/clock.ts'
import type { ObjectType } from '../../shared/objects/formats.ts'
import { longestRetryAfterMs } from '../../shared/vault/http-answer.ts'
import type { Vault, VaultFailure } from '../../shared/vault/store.ts'
import type { Budget } from './budget.ts'
import { look, type LookState } from './look.ts'
import type { Observed } from './observed.ts'

export interface GroupOptions {
  vault: Pick<Vault, 'list' | 'versions'>
  type: ObjectType
  budget: Budget
  clock: Clock
  /** Between two looks, in milliseconds; evaluated before each. */
  interval: () => number
  /** Called after each look with the names that it found changed. */
  onLooked: (changed: ReadonlySet<string>) => void
  onFailure: (failure: VaultFailure) => void
  /** Called for each object that is not looked at any more because listing its versions failed. */
  onLost: (failure: VaultFailure) => void
}

/** The longest time between two looks after failures. */
const longestPauseMs = { forbidden: 600_000, other: 60_000 }
/** Between two looks while there are objects that were not looked at yet. */
const backlogPauseMs = 5_000
/** How many times longer the interval becomes while the vault throttles. */
const slowest = 16

/** Looks at the objects of one type in a vault again and again. */
export class Group {
  readonly objects = new Map<string, Observed>()
  /** When the last complete look began, on the monotonic clock; absent before the first and while the vault refuses looks. */
  lookedAt: number | undefined
  readonly #options: GroupOptions
  readonly #stop = new AbortController()
  readonly #state: LookState = { pages: 1, isListed: false, hasBacklog: false }
  #failures = 0
  #slowdown = 1

  constructor(options: GroupOptions) {
    this.#options = options
    // After the objects that it is created for were added.
    queueMicrotask(() => void this.#run())
  }

  /** The requests that a list takes. */
  get pages(): number {
    return this.#state.pages
  }

  /** Watches an object from the next look on. */
  add(name: string): void {
    const observed = this.objects.get(name) ?? { subscribers: 0 }
    observed.subscribers++
    this.objects.set(name, observed)
  }

  /** Watches an object no longer than others need it. */
  remove(name: string): void {
    const observed = this.objects.get(name)
    if (observed && --observed.subscribers <= 0) this.objects.delete(name)
  }

  close(): void {
    this.#stop.abort()
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    while (!this.#stop.signal.aborted) {
      const pause = await this.#look()
      await clock.wait(pause, this.#stop.signal)
    }
  }

  /** Returns the time until the next look. */
  async #look(): Promise<number> {
    const { clock, interval, onLooked, onFailure, onLost, vault, type, budget } = this.#options
    const began = clock.elapsed()
    const objects = new Map(this.objects)
    const dependencies = { vault, type, budget, clock, abort: this.#stop.signal }
    const { changed, lost, failure } = await look(objects, this.#state, dependencies)
    if (this.#stop.signal.aborted) return 0
    for (const one of lost) onLost(one)
    if (failure) {
      if (failure.kind === 'forbidden') this.lookedAt = undefined
      onLooked(changed)
      onFailure(failure)
      return this.#pauseAfter(failure)
    }
    this.#failures = 0
    this.#slowdown = Math.max(1, this.#slowdown / 2)
    this.lookedAt = began
    onLooked(changed)
    const pause = this.#state.hasBacklog ? Math.min(backlogPauseMs, interval()) : interval()
    const rechecks = this.objects.values().map(({ recheckAt = Infinity }) => recheckAt - clock.elapsed())
    return Math.max(0, Math.min(pause * this.#slowdown, ...rechecks))
  }

  #pauseAfter({ kind, retryAfter = 0 }: VaultFailure): number {
    const { interval } = this.#options
    this.#failures++
    if (kind === 'throttled') {
      this.#slowdown = Math.min(slowest, this.#slowdown * 2)
      return Math.max(Math.min(retryAfter, longestRetryAfterMs), interval() * this.#slowdown)
    }
    const longest = kind === 'forbidden' ? longestPauseMs.forbidden : longestPauseMs.other
    return Math.max(interval(), Math.min(longest, interval() * 2 ** Math.min(this.#failures - 1, 20)))
  }
}
