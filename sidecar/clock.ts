import { wait } from '../shared/timer.ts'

/** Time as the sidecar sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970: for records and messages. It may jump. */
  now: () => number
  /** Milliseconds that never go back: for every schedule. */
  elapsed: () => number
  /** Resolves after the time, or as soon as the signal aborts. */
  wait: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

export const realClock: Clock = {
  now: Date.now,
  elapsed: () => performance.now(),
  wait: (milliseconds, signal) => wait(milliseconds, signal).catch(() => undefined),
}
