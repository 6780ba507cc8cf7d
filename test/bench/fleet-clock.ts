import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../shared/clock.ts'

/** Virtual time for thousands of pods: waits end on whole milliseconds. */
export class FleetClock implements Clock {
  readonly #start: number
  readonly #due = new Map<number, (() => void)[]>()
  /** What each signal ends; one listener for all waits of a signal, because a pod waits once a second. */
  readonly #abortable = new WeakMap<AbortSignal, Set<() => void>>()
  #elapsed = 0

  /** @param start of the wall clock, in milliseconds since 1970 */
  constructor(start: number) {
    this.#start = start
  }

  now = (): number => this.#start + this.#elapsed
  elapsed = (): number => this.#elapsed

  wait = (milliseconds: number, abort?: AbortSignal): Promise<void> => {
    if (abort?.aborted) return Promise.resolve()
    const at = Math.floor(this.#elapsed + Math.max(0, milliseconds)) + 1
    const { promise, resolve } = Promise.withResolvers<void>()
    const ends = abort && this.#endsOf(abort)
    ends?.add(resolve)
    const wake = ends
      ? () => {
          ends.delete(resolve)
          resolve()
        }
      : resolve
    const due = this.#due.get(at)
    if (due) due.push(wake)
    else this.#due.set(at, [wake])
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

  #endsOf(abort: AbortSignal): Set<() => void> {
    const known = this.#abortable.get(abort)
    if (known) return known
    const ends = new Set<() => void>()
    this.#abortable.set(abort, ends)
    const wake = () => {
      for (const end of ends) end()
      ends.clear()
    }
    abort.addEventListener('abort', wake, { once: true })
    return ends
  }
}
