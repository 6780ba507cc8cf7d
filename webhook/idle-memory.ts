import { startTimer, type Clock } from '../shared/clock.ts'

/** Fewer reviews leave nothing worth a garbage collection. */
const leastReviews = 100
/** No review for so long is a lull: a collection takes some tens of milliseconds. */
const lullMs = 15_000

export interface IdleMemoryOptions {
  clock: Pick<Clock, 'elapsed' | 'wait'>
  /** Collects all garbage and returns free pages to the system; absent without Node's flag `--expose-gc`. */
  collect: (() => unknown) | undefined
}

/**
 * Gives memory back to the system in the first lull after many reviews. V8 keeps what a burst took until the next allocations, which
 * may be hours away.
 * @returns a function to be called for each review
 */
export function createIdleMemory({ clock, collect }: IdleMemoryOptions): () => void {
  let reviews = 0
  let lastAt = 0
  let isWaiting = false
  const wait = (milliseconds: number): void => {
    isWaiting = true
    startTimer(clock, milliseconds, () => {
      const rest = lastAt + lullMs - clock.elapsed()
      if (rest > 0) return wait(rest)
      isWaiting = false
      reviews = 0
      collect?.()
    })
  }
  return () => {
    reviews++
    lastAt = clock.elapsed()
    if (reviews >= leastReviews && !isWaiting && collect) wait(lullMs)
  }
}

/** V8's own collection of last resort; undefined without Node's flag `--expose-gc`. */
export const collectAll =
  globalThis.gc && (() => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }))
