import timers from 'node:timers/promises'

/** The sources of time; tests pass their own. */
export interface Clock {
  /** Milliseconds since 1970, for records and messages. It may jump. */
  now: () => number
  /** Milliseconds on the monotonic clock, for every schedule. */
  elapsed: () => number
  /** Resolves after the time, or as soon as the signal aborts; it never rejects. */
  wait: (milliseconds: number, abort: AbortSignal) => Promise<void>
}

/** For timestamps and waits, without the monotonic clock. */
export type WallClock = Pick<Clock, 'now' | 'wait'>

/** A random number from [0, 1). */
export type Random = () => number

export const realClock: Clock = {
  now: Date.now,
  // Not performance.now(), which loads all of `perf_hooks`.
  elapsed: () => Number(process.hrtime.bigint()) / 1e6,
  wait: (milliseconds, abort) => wait(milliseconds, abort).catch(() => undefined),
}

/** The longest delay of a Node timer, 24.8 days; a timer with a longer one fires at once. */
const longestTimerMs = 2 ** 31 - 1

/**
 * Runs a function after a number of milliseconds.
 * @returns a function that cancels it
 */
export function startTimer(clock: Pick<Clock, 'wait'>, milliseconds: number, run: () => void): () => void {
  const cancelled = new AbortController()
  void clock.wait(milliseconds, cancelled.signal).then(() => {
    if (!cancelled.signal.aborted) run()
  })
  return () => cancelled.abort()
}

/**
 * Resolves after a number of milliseconds, however large.
 * @throws an AbortError as soon as the signal aborts
 */
export async function wait(milliseconds: number, abort?: AbortSignal): Promise<void> {
  const options = abort && { signal: abort }
  let rest = milliseconds
  for (; rest > longestTimerMs; rest -= longestTimerMs) await timers.setTimeout(longestTimerMs, undefined, options)
  await timers.setTimeout(rest, undefined, options)
}
