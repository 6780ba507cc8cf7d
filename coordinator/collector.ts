import { maxSources } from '../shared/coordination/limits.ts'

/** One line of something that has several. */
export interface Part<T> {
  number: number
  part: number
  parts: number
  objects: readonly T[]
}

/**
 * Returns what collects the lines of numbered snapshots or states: it returns the objects with the last line, `more` before that, and
 * `malformed` for a line out of its order, a number that was there before, or more than {@link maxSources} objects.
 */
export function createCollector<T>(): (line: Part<T>) => T[] | 'more' | 'malformed' {
  let last = 0
  let current = { number: 0, next: 0 }
  let objects: T[] = []
  return ({ number, part, parts, objects: own }) => {
    if (part === 0) {
      objects = []
      current = { number, next: 0 }
    }
    if (number !== current.number || part !== current.next || number <= last) return 'malformed'
    if (objects.length + own.length > maxSources) return 'malformed'
    current.next++
    objects.push(...own)
    if (current.next < parts) return 'more'
    last = number
    const all = objects
    objects = []
    return all
  }
}
