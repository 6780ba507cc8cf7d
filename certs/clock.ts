import { wait } from '../shared/timer.ts'

/** Time as this folder needs it; tests bring their own. */
export interface Clock {
  /** milliseconds since 1970 */
  now(): number
  /** Resolves after `milliseconds`, or as soon as `signal` aborts; never rejects. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: Date.now,
  wait: (milliseconds, signal) => wait(milliseconds, signal).catch(() => undefined),
}
