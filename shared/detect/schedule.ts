import type { Random } from '../clock.ts'
import { longestRetryAfterMs } from '../vault/http-answer.ts'
import { refreshAfter } from './read-plan.ts'

/** When a vault is polled next: pure functions of the settings, the last outcome and a random number. */

/** Documented back-off for a throttled vault: 1, 2, 4, 8, 16 s. */
const firstBackoffMs = 1_000
/** While the pod waits for its first set; shorter if a person has to fix the failure before the startup deadline. */
const startingCeilingMs = 16_000
const refusedCeilingMs = 3_000

export interface Situation {
  /** The poll interval, in milliseconds. */
  interval: number
  /** The longest interval while a coordinator announces every change, in milliseconds; absent otherwise. */
  coveredInterval?: number | undefined
  /** Whether a set is served; until then, the pod waits. */
  ready: boolean
  /** Consecutive polls that failed in a way that a retry may cure. */
  failures: number
  /** Whether this was the first success since the start of the process. */
  first?: boolean
  /** How long the vault asked to wait in the last of them, in milliseconds. */
  retryAfter?: number
  /** Whether the last of them failed only for reasons that a person has to fix. */
  refused?: boolean
}

/**
 * The delay before the next poll of a vault, in milliseconds. After the first success, it is a random part of the interval, so
 * that replicas that started together spread out; after later ones, the interval plus or minus 10%. After failures, it is an
 * exponential back-off with full jitter, whose mean grows up to the interval, so that a failing vault is not polled more
 * often than a healthy one for long.
 */
export function nextDelay(situation: Situation, random: Random): number {
  const { interval, coveredInterval, ready, failures, first = false, retryAfter = 0, refused = false } = situation
  if (failures === 0 && first) return interval * random()
  if (failures === 0 && coveredInterval !== undefined) return refreshAfter(coveredInterval, random)
  if (failures === 0) return interval * (0.9 + 0.2 * random())
  const ceiling = ready ? Math.max(startingCeilingMs, 2 * interval) : refused ? refusedCeilingMs : startingCeilingMs
  const backoff = Math.min(ceiling, firstBackoffMs * 2 ** Math.min(failures - 1, 30))
  // Retry-After is a minimum, because the whole fleet received the same.
  return Math.min(retryAfter, longestRetryAfterMs) + backoff * random()
}

/** The minimum time between requested polls. */
export const refreshSpacingMs = 10_000

/**
 * The delay before a requested poll, in milliseconds.
 * @param lastRefresh when the last requested poll was due
 * @param notBefore the time before which the vault asked not to be polled
 */
export const refreshDelay = (now: number, lastRefresh: number | undefined, notBefore: number): number =>
  Math.max(0, notBefore - now, lastRefresh === undefined ? 0 : lastRefresh + refreshSpacingMs - now)
