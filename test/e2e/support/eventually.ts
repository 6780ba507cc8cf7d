import { until } from '../../support/until.ts'

/**
 * Waits for a condition in the cluster; an error that the probe throws counts as "not yet".
 *
 * @returns the first value of the probe that is neither undefined nor false
 */
export const eventually = <T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  { seconds = 120, every = 250 } = {},
): Promise<T> => until(what, probe, { timeoutMs: seconds * 1000, intervalMs: every, retryErrors: true })
