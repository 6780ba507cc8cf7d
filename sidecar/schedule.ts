/** When a vault is asked next: pure functions of the settings, the last outcome and a random draw from [0, 1). */

/** `Retry-After` is honoured up to here. */
export const longestRetryAfter = 15 * 60_000
/** Documented back-off for a throttled vault: 1, 2, 4, 8, 16 s. */
const firstBackoff = 1_000
/** While the pod waits for its first set; less where it has only so long to be granted what it lacks. */
const startingCeiling = 16_000
const refusedCeiling = 3_000

export interface Situation {
  /** The poll interval, in milliseconds. */
  interval: number
  /** Whether a set is served; before that the pod waits. */
  ready: boolean
  /** Polls in a row that failed in a way that a retry may cure. */
  failures: number
  /** Whether this was the first success since the start of the process. */
  first?: boolean
  /** What the vault asked for in the last of them, in milliseconds. */
  retryAfter?: number
  /** Whether the last of them failed only for reasons that somebody must cure. */
  refused?: boolean
}

/**
 * How long to wait before the next poll of a vault, in milliseconds. After the first success: any part of the interval, so that
 * replicas that started together are spread out from then on; after later ones: the interval, 10% more or less. After failures:
 * exponential back-off with full jitter, whose mean grows up to the interval, so that a pod never asks a vault in trouble more
 * often than a healthy one for long.
 */
export function nextDelay(situation: Situation, random: () => number): number {
  const { interval, ready, failures, first = false, retryAfter = 0, refused = false } = situation
  if (failures === 0 && first) return interval * random()
  if (failures === 0) return interval * (0.9 + 0.2 * random())
  const ceiling = ready ? Math.max(startingCeiling, 2 * interval) : refused ? refusedCeiling : startingCeiling
  const backoff = Math.min(ceiling, firstBackoff * 2 ** Math.min(failures - 1, 30))
  // What the vault asks for is a floor: the whole fleet was told the same.
  return Math.min(retryAfter, longestRetryAfter) + backoff * random()
}

/** Polls on request are no closer together than this. */
export const refreshSpacing = 10_000

/**
 * How long to wait before a poll on request, in milliseconds.
 * @param lastRefresh when the last poll on request was due
 * @param notBefore what the vault asked for
 */
export const refreshDelay = (now: number, lastRefresh: number | undefined, notBefore: number): number =>
  Math.max(0, notBefore - now, lastRefresh === undefined ? 0 : lastRefresh + refreshSpacing - now)

/** When to read a source again in full, whatever lists say: up to a fifth sooner, so that a pod's do not come together. */
export const refreshAfter = (fullRefresh: number, random: () => number): number => fullRefresh * (0.8 + 0.2 * random())
