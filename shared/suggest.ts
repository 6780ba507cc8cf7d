import leven from 'leven'

const mostLooked = 50
const mostListed = 20
/** Edits by which a name may differ from the one that was meant, however long it is. */
const mostEdits = 3

/**
 * The known name that `name` was probably meant to be: at most a third of its characters differ, one at least and three at most, case
 * aside; two swapped neighbors count as one. Only the first 64 characters, the first fifty known names and lengths that can be near are compared.
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const meant = name.slice(0, 64).toLowerCase()
  let best: string | undefined
  let bestDistance = Math.min(mostEdits, Math.max(1, Math.floor(meant.length / 3))) + 1
  let looked = 0
  for (const candidate of known) {
    if (++looked > mostLooked) break
    if (Math.abs(candidate.length - meant.length) >= bestDistance) continue
    const other = candidate.toLowerCase()
    const edits = leven(meant, other, { maxDistance: bestDistance + 1 })
    const distance = edits === 2 && letters(meant) === letters(other) ? 1 : edits
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

const letters = (text: string): string => text.split('').sort().join('')

/** ` (did you mean "x"?)`, or nothing when no known name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const meant = nearest(name, known)
  return meant === undefined ? '' : ` (did you mean "${meant}"?)`
}

/** {@link didYouMean} for the first names of one text: to look at fifty known names for each of a thousand would cost too much. */
export function firstSuggestions(most = 5): typeof didYouMean {
  let left = most
  return (name, known) => (left-- > 0 ? didYouMean(name, known) : '')
}

/** `a, b, c`, and of many names how many more there are. */
export const listed = (names: readonly string[]): string =>
  names.length <= mostListed
    ? names.join(', ')
    : `${names.slice(0, mostListed).join(', ')} and ${names.length - mostListed} more`

/** A user's text inside a message: quoted, control characters escaped, cut at 80 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
}
