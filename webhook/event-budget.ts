/** So many Events of a namespace at once, and so many more each second. Equal ones that wait together count once. */
const burst = 50
const perSecond = 1
/** Of so many namespaces the budgets are kept. */
const mostNamespaces = 1000

/**
 * A token bucket for each namespace: whether it may have another Event now.
 *
 * A namespace that is not kept has a full bucket. If the table is full and no bucket in it is, a further namespace gets nothing:
 * otherwise a caller that makes namespaces up could have the budget of one that it has spent forgotten.
 */
export function eventBudget({ now = Date.now } = {}): (namespace: string) => boolean {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const tokensOf = ({ tokens, at }: { tokens: number; at: number }, time: number): number =>
    Math.min(burst, tokens + (Math.max(0, time - at) / 1000) * perSecond)

  let looked = -Infinity
  /** Looks for full buckets once a second at most: made-up namespaces must not cost a look each. */
  function makeRoom(time: number): boolean {
    if (buckets.size < mostNamespaces) return true
    if (Math.abs(time - looked) < 1000) return false
    looked = time
    for (const [name, bucket] of buckets) if (tokensOf(bucket, time) === burst) buckets.delete(name)
    return buckets.size < mostNamespaces
  }

  return (namespace) => {
    const time = now()
    const bucket = buckets.get(namespace)
    if (bucket === undefined && !makeRoom(time)) return false
    const tokens = bucket === undefined ? burst : tokensOf(bucket, time)
    if (tokens < 1) return false
    buckets.set(namespace, { tokens: tokens - 1, at: time })
    return true
  }
}
