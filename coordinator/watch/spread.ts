/** Requests that a vault takes at once without any spread: a quarter of its limit in 10 s. */
const freeRequests = 1_000
const leastMs = 1_000

/**
 * The time over which sidecars spread the requests that a hint causes, in milliseconds.
 * @param requests of all sidecars together
 * @param hintRate requests a second
 */
export const spreadOf = (requests: number, hintRate: number): number =>
  Math.max(leastMs, Math.ceil(((requests - freeRequests) / hintRate) * 1000))
