import { setImmediate } from 'node:timers/promises'

/** Work that can be interrupted wherever it yields. */
export type Steps<T> = Generator<void, T, void>

/** Does all the work at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** Does each step in its own turn of the event loop. */
export async function finishInTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    await setImmediate()
    const { done, value } = steps.next()
    if (done) return value
  }
}
