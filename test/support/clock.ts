import { setImmediate as turn } from 'node:timers/promises'

import type { Clock } from '../../shared/clock.ts'

interface Waiter {
  at: number
  wake: () => void
}

/** Time that passes only if a test advances it. Wall clock and monotonic clock are separate, so that one may jump. */
export class VirtualClock implements Clock {
  #elapsed = 0
  /** How far the wall clock is ahead. */
  offset: number
  readonly #start: number
  readonly #waiters = new Set<Waiter>()

  constructor(start = Date.UTC(2030, 0, 1)) {
    this.offset = start
    this.#start = start
  }

  now = (): number => this.offset + this.#elapsed
  /** The monotonic clock, which does not jump. */
  trueTime = (): number => this.#start + this.#elapsed
  elapsed = (): number => this.#elapsed

  wait = (milliseconds: number, signal?: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter: Waiter = { at: this.#elapsed + milliseconds, wake: done.bind(this) }
    function done(this: VirtualClock): void {
      this.#waiters.delete(waiter)
      signal?.removeEventListener('abort', waiter.wake)
      resolve()
    }
    if (signal?.aborted) return Promise.resolve()
    signal?.addEventListener('abort', waiter.wake)
    this.#waiters.add(waiter)
    return promise
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** Advances the time and wakes each waiter at its time; `idle` resolves when nothing runs in between. */
  async advance(milliseconds: number, idle: () => Promise<void>): Promise<void> {
    const end = this.#elapsed + milliseconds
    await idle()
    for (;;) {
      const next = [...this.#waiters].sort((one, other) => one.at - other.at)[0]
      if (next === undefined || next.at > end) break
      this.#elapsed = Math.max(this.#elapsed, next.at)
      next.wake()
      await idle()
    }
    this.#elapsed = end
  }
}

/** Waits, in real time, for a condition that other tasks of this process bring about. */
export async function settled(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  // A few more turns for tasks that are about to become busy.
  for (let calm = 0; calm < 3;) {
    await turn()
    calm = condition() ? calm + 1 : 0
    if (performance.now() > deadline) throw new Error('nothing came to rest within 60 s')
  }
}
