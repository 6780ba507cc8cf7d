import { realClock, type Clock } from './clock.ts'

/** How many a namespace may have at once, and how many more each second. */
export interface Rate {
  burst: number
  perSecond: number
}

/** Limit of the namespaces whose budgets are kept. */
const mostNamespaces = 1000

/**
 * Returns a token bucket for each namespace: whether the namespace may have one more now.
 *
 * A namespace that is not in the table has a full bucket. If the table is full and none of its buckets is, a further namespace gets nothing:
 * otherwise a caller could use made-up namespaces to make the table forget a spent budget.
 */
export function createNamespaceBudget(
  { burst, perSecond }: Rate,
  clock: Pick<Clock, 'elapsed'> = realClock,
): (namespace: string) => boolean {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const tokensOf = ({ tokens, at }: { tokens: number; at: number }, time: number): number =>
    Math.min(burst, tokens + ((time - at) / 1000) * perSecond)

  let looked = -Infinity
  /** Searches for full buckets at most once a second, because each made-up namespace would cause a search. */
  function makeRoom(time: number): boolean {
    if (buckets.size < mostNamespaces) return true
    if (time - looked < 1000) return false
    looked = time
    for (const [name, bucket] of buckets) if (tokensOf(bucket, time) === burst) buckets.delete(name)
    return buckets.size < mostNamespaces
  }

  return (namespace) => {
    const time = clock.elapsed()
    const bucket = buckets.get(namespace)
    if (bucket === undefined && !makeRoom(time)) return false
    const tokens = bucket === undefined ? burst : tokensOf(bucket, time)
    if (tokens < 1) return false
    buckets.set(namespace, { tokens: tokens - 1, at: time })
    return true
  }
}
