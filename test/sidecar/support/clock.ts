import { setImmediate as turn } from 'node:timers/promises'

import type { Clock } from '../../../sidecar/clock.ts'

interface Waiter {
  at: number
  wake: () => void
}

/** Time that passes when a test says so. The wall clock and the clock that never goes back are apart, so that one may jump. */
export class VirtualClock implements Clock {
  #elapsed = 0
  /** What the wall clock is ahead. */
  offset: number
  readonly #start: number
  readonly #waiters = new Set<Waiter>()

  constructor(start = Date.UTC(2030, 0, 1)) {
    this.offset = start
    this.#start = start
  }

  now = (): number => this.offset + this.#elapsed
  /** The others' clock, which does not jump. */
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

  /** For those who want `setTimeout`. */
  setTimer = (run: () => void, milliseconds: number): (() => void) => {
    const cancelled = new AbortController()
    void this.wait(milliseconds, cancelled.signal).then(() => cancelled.signal.aborted || run())
    return () => cancelled.abort()
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** Lets time pass, waking whoever waits, each at its time; `idle` says when everybody has come to rest in between. */
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
  const deadline = performance.now() + 10_000
  // A few turns more, for those who are about to become busy.
  for (let calm = 0; calm < 3;) {
    await turn()
    calm = condition() ? calm + 1 : 0
    if (performance.now() > deadline) throw new Error('nothing came to rest within 10 s')
  }
}
