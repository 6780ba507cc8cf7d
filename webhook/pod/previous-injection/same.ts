/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a JSON value consists of at most so many values. */
export const hasAtMost = (most: number, value: unknown): boolean => remaining(most, value) >= 0

function remaining(most: number, value: unknown): number {
  let left = most - 1
  if (typeof value !== 'object' || value === null) return left
  for (const one of Array.isArray(value) ? (value as unknown[]) : Object.values(value)) {
    if (left < 0) break
    left = remaining(left, one)
  }
  return left
}

/**
 * Whether two values of a pod are equivalent. The order of named items (containers, variables, mounts, volumes) is ignored, because other
 * webhooks change it, and an undefined field counts as absent.
 */
export function same(a: unknown, b: unknown): boolean {
  // Fast path: most of a pod is the same object in both.
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

/** Returns the key of a list item. It includes the path, because a container may mount a volume at several paths. */
const keyOf = (item: unknown, index: number): string =>
  isFields(item) && typeof item['name'] === 'string'
    ? JSON.stringify([item['name'], item['mountPath'] ?? null])
    : String(index)
