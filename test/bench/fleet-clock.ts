import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../shared/clock.ts'

/** Virtual time for a thousand pods: waits end on whole milliseconds, and nothing in a fleet aborts one. */
export class FleetClock implements Clock {
  readonly #start: number
  readonly #due = new Map<number, (() => void)[]>()
  #elapsed = 0

  /** @param start of the wall clock, in milliseconds since 1970 */
  constructor(start: number) {
    this.#start = start
  }

  now = (): number => this.#start + this.#elapsed
  elapsed = (): number => this.#elapsed

  wait = (milliseconds: number): Promise<void> => {
    const at = Math.floor(this.#elapsed + Math.max(0, milliseconds)) + 1
    const { promise, resolve } = Promise.withResolvers<void>()
    const due = this.#due.get(at)
    if (due) due.push(resolve)
    else this.#due.set(at, [resolve])
    return promise
  }

  /** Advances the time; all tasks come to rest between two moments. */
  async runUntil(end: number): Promise<void> {
    await turn()
    while (this.#elapsed < end) {
      const due = this.#due.get(++this.#elapsed)
      if (!due) continue
      this.#due.delete(this.#elapsed)
      for (const wake of due) wake()
      await turn()
    }
  }
}
