import type { Clock } from '../clock.ts'

export interface BucketOptions {
  /** How many may be taken at once. */
  capacity: number
  /** How long it takes until one more may be taken, in milliseconds; evaluated at every use. */
  refillMs: () => number
  clock: Pick<Clock, 'elapsed'>
}

/** A token bucket: full at first, refilled one at a time. */
export interface Bucket {
  /** Takes one if there is one. */
  take(): boolean
  /** Takes one even if there is none; at most as many as the capacity are owed. */
  owe(): void
  /** How long it takes until there is one, in milliseconds; 0 if there is. */
  waitMs(): number
}

export function createBucket({ capacity, refillMs, clock }: BucketOptions): Bucket {
  let level = capacity
  let at = clock.elapsed()
  const refill = (): void => {
    const now = clock.elapsed()
    level = Math.min(capacity, level + (now - at) / refillMs())
    at = now
  }
  return {
    take() {
      refill()
      if (level < 1) return false
      level--
      return true
    },
    owe() {
      refill()
      level = Math.max(-capacity, level - 1)
    },
    waitMs() {
      refill()
      return level >= 1 ? 0 : Math.ceil((1 - level) * refillMs())
    },
  }
}
