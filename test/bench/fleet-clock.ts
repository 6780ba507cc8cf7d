import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../sidecar/clock.ts'

/** Virtual time for a thousand pods at once: waits end on whole milliseconds, and nothing in a fleet cuts one short. */
export class FleetClock implements Clock {
  readonly #start: number
  readonly #due = new Map<number, (() => void)[]>()
  #elapsed = 0

  /** @param start the wall clock's, milliseconds since 1970 */
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

  /** Lets time pass until then; everybody comes to rest between two moments. */
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
