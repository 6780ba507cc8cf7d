/**
 * Keeps what a pure function gave for the few texts that were read last: the same text comes back with the second look at a pod, the
 * other webhooks and every replica.
 * @param most texts that are kept; the caller bounds their length
 */
export function remembering<T>(read: (text: string) => T, most = 8): (text: string) => T {
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
