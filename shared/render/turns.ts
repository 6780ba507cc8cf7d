import { setImmediate } from 'node:timers/promises'
import { realClock } from '../clock.ts'

/** UTF-16 units that are processed between two turns of the event loop. */
const portion = 32 * 1024

/** Replaces each match of a pattern for a single UTF-16 unit, in portions between which other work runs. */
export async function replaceUnits(text: string, pattern: RegExp, replace: (unit: string) => string): Promise<string> {
  const parts: string[] = []
  for (let start = 0; start < text.length; start += portion) {
    if (start > 0) await setImmediate()
    parts.push(text.slice(start, start + portion).replace(pattern, replace))
  }
  return parts.join('')
}

/** Returns a turn of the event loop to wait for, if the last one was more than the given milliseconds ago. */
export function createTurns(most: number): () => Promise<void> | undefined {
  let last = realClock.elapsed()
  return () => {
    if (realClock.elapsed() - last < most) return undefined
    return setImmediate().then(() => {
      last = realClock.elapsed()
    })
  }
}
