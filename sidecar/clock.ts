import { setTimeout as sleep } from 'node:timers/promises'

/** Time as the sidecar sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970: for records and messages. It may jump. */
  now: () => number
  /** Milliseconds that never go back: for every schedule. */
  elapsed: () => number
  /** Resolves after the time, or as soon as the signal aborts. */
  wait: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** A timer of Node's holds 2^31 - 1 ms; whoever waits longer looks at the clock again then. */
const longestTimer = 2 ** 31 - 1

export const realClock: Clock = {
  now: Date.now,
  elapsed: () => performance.now(),
  wait: (milliseconds, signal) =>
    sleep(Math.min(milliseconds, longestTimer), undefined, { signal }).catch(() => undefined),
}
