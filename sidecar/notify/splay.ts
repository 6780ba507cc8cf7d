/**
 * Draws the delay before a notification: uniform in [0, splay), for every replica and every change on its own. That makes
 * it unlikely, not impossible, that two replicas act on a change at the same time (docs/signals.md has the formula).
 * @param splay the most, in milliseconds
 */
export const drawSplay = (splay: number, random: () => number = Math.random): number => Math.floor(random() * splay)
