/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Whether two values of a pod mean the same. The order of a list of named things (containers, variables, mounts, volumes) does not
 * count, because other webhooks change it; a field that is undefined counts as absent.
 */
export function same(a: unknown, b: unknown): boolean {
  // Most of a pod is the same object in both.
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && sameItems(a, b)
  if (!isFields(a) || !isFields(b)) return false
  const [left, right] = [fieldsOf(a), fieldsOf(b)]
  return left.length === right.length && left.every((field) => Object.hasOwn(b, field) && same(a[field], b[field]))
}

const fieldsOf = (value: Fields): string[] => Object.keys(value).filter((field) => value[field] !== undefined)

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  const waiting = new Map<string, unknown[]>()
  for (const [index, item] of b.entries()) {
    const key = keyOf(item, index)
    const others = waiting.get(key)
    if (others === undefined) waiting.set(key, [item])
    else others.push(item)
  }
  return a.every((item, index) => {
    const others = waiting.get(keyOf(item, index))
    return others !== undefined && others.length > 0 && same(item, others.shift())
  })
}

/** What names an item of a list: a container may mount one volume at several paths. */
const keyOf = (item: unknown, index: number): string =>
  isFields(item) && typeof item['name'] === 'string'
    ? JSON.stringify([item['name'], item['mountPath'] ?? null])
    : String(index)
