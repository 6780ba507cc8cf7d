import { setTimeout as sleep } from 'node:timers/promises'

/** A timer of Node's holds 2^31 - 1 ms, 24.8 days; with more it fires at once. */
const longestTimer = 2 ** 31 - 1

/**
 * Runs a function after a number of milliseconds, however many: for durations that come from outside.
 * @returns what cancels it
 */
export function startTimer(run: () => void, milliseconds: number): () => void {
  let timer: NodeJS.Timeout
  const start = (rest: number): void => {
    timer = setTimeout(() => (rest > longestTimer ? start(rest - longestTimer) : run()), Math.min(rest, longestTimer))
  }
  start(milliseconds)
  return () => clearTimeout(timer)
}

/** Resolves after a number of milliseconds, however many. @throws an AbortError as soon as the signal aborts */
export async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  const options = signal && { signal }
  let rest = milliseconds
  for (; rest > longestTimer; rest -= longestTimer) await sleep(longestTimer, undefined, options)
  await sleep(rest, undefined, options)
}
