import type { Random } from '../../shared/clock.ts'

/**
 * Returns the delay before a notification in milliseconds: uniform in [0, splay), drawn by each replica for each change. So two
 * replicas are unlikely, but not certain not, to act on a change at the same time (docs/signals.md has the formula).
 * @param splay the maximum, in milliseconds
 */
export const drawSplay = (splay: number, random: Random): number => Math.floor(random() * splay)
