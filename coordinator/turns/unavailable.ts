import type { MaxUnavailable } from '../../shared/coordination/turns.ts'

/**
 * How many pods of a group may be unavailable at once.
 * @param limits one of each pod that has a session; the smallest counts
 */
export function mostUnavailable(limits: readonly MaxUnavailable[]): number {
  const counts = limits.map((limit) =>
    'count' in limit ? limit.count : Math.max(1, Math.floor((limit.percent * limits.length) / 100)),
  )
  return counts.reduce((least, count) => Math.min(least, count), Infinity)
}
