/**
 * Keeps the results of a pure function for the most recent texts: the same text is read again in the second pass over a
 * pod, by the other webhook entries, and for every replica.
 * @param most how many texts are kept; the caller limits their length
 */
export function memoize<T>(read: (text: string) => T, most = 8): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const value = known.has(text) ? (known.get(text) as T) : read(text)
    known.delete(text)
    known.set(text, value)
    const [oldest] = known.keys()
    if (known.size > most && oldest !== undefined) known.delete(oldest)
    return value
  }
}
