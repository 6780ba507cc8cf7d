import { setTimeout as sleep } from 'node:timers/promises'

/** Time as this folder needs it; tests bring their own. */
export interface Clock {
  /** milliseconds since 1970 */
  now(): number
  /** Resolves after `milliseconds`, or as soon as `signal` aborts; never rejects. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: Date.now,
  wait: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }).catch(() => undefined),
}
