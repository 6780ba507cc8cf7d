import { setImmediate } from 'node:timers/promises'

/** UTF-16 units that are worked on between two turns of the event loop. */
const portion = 32 * 1024

/** Replaces each match of a pattern that looks at one UTF-16 unit, a portion of the text at a time, between which everything else goes on. */
export async function replaceUnits(text: string, pattern: RegExp, replace: (unit: string) => string): Promise<string> {
  const parts: string[] = []
  for (let start = 0; start < text.length; start += portion) {
    if (start > 0) await setImmediate()
    parts.push(text.slice(start, start + portion).replace(pattern, replace))
  }
  return parts.join('')
}

/** Gives a turn of the event loop to wait for, if there was none for so many milliseconds. */
export function turnsAfter(most: number): () => Promise<void> | undefined {
  let last = performance.now()
  return () => {
    if (performance.now() - last < most) return undefined
    return setImmediate().then(() => {
      last = performance.now()
    })
  }
}
