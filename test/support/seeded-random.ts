/** Random numbers that depend only on the seed (mulberry32). @returns draws from [0, 1) */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws a whole number from [0, `end`). */
export type RandomInteger = (end: number) => number

/** Random whole numbers that depend only on the seed. */
export function seededInteger(seed: number): RandomInteger {
  const random = seededRandom(seed)
  return (end) => Math.floor(random() * end)
}
