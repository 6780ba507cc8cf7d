/** Parses JSON; undefined if the text is not JSON, or not an object. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** The items of an array, if all of them can be parsed and they are at most `most`. */
export function parseArray<T>(
  value: unknown,
  most: number,
  parse: (item: readonly unknown[]) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value) || value.length > most) return undefined
  const items: T[] = []
  for (const item of value) {
    const parsed = Array.isArray(item) ? parse(item) : undefined
    if (parsed === undefined) return undefined
    items.push(parsed)
  }
  return items
}
