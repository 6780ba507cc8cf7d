import leven from 'leven'

const mostCompared = 50
const mostListed = 20
/** Limit of the edits between a name and the intended one, whatever its length. */
const mostEdits = 3
/** Minimum length of a known name that is suggested for names that begin with it, such as `cert` for `certificate`. */
const shortestPrefix = 4

/**
 * Returns the known name that `name` was probably meant to be, ignoring case: at most a third of its characters differ,
 * at least one and at most three, and two swapped neighbors count as one; or the name begins with it. Compares only the
 * first 64 characters and the first fifty known names.
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const meant = name.slice(0, 64).toLowerCase()
  let best: string | undefined
  let prefix: string | undefined
  let bestDistance = Math.min(mostEdits, Math.max(1, Math.floor(meant.length / 3))) + 1
  let compared = 0
  for (const candidate of known) {
    if (++compared > mostCompared) break
    if (candidate.length >= shortestPrefix && meant.startsWith(candidate.toLowerCase())) prefix ??= candidate
    if (Math.abs(candidate.length - meant.length) >= bestDistance) continue
    const other = candidate.toLowerCase()
    const edits = leven(meant, other, { maxDistance: bestDistance + 1 })
    const distance = edits === 2 && areSwapped(meant, other) ? 1 : edits
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best ?? prefix
}

/** Whether two different texts differ only by two swapped neighbors. */
function areSwapped(one: string, other: string): boolean {
  let at = 0
  while (one[at] === other[at]) at++
  return other === `${one.slice(0, at)}${one.charAt(at + 1)}${one.charAt(at)}${one.slice(at + 2)}`
}

/** Returns ` (did you mean "x"?)`, or an empty text if no known name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const meant = nearest(name, known)
  return meant === undefined ? '' : ` (did you mean "${meant}"?)`
}

/** {@link didYouMean} for the first names of one text only, because comparing a thousand names to fifty each takes too long. */
export function firstSuggestions(most = 5): typeof didYouMean {
  let left = most
  return (name, known) => (left-- > 0 ? didYouMean(name, known) : '')
}

/** Returns `a, b, c`, or the first names and the number of further ones. */
export const listed = (names: readonly string[]): string =>
  names.length <= mostListed
    ? names.join(', ')
    : `${names.slice(0, mostListed).join(', ')} and ${names.length - mostListed} more`

/** Quotes a user's text for a message: control characters are escaped, and it is cut at 80 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
}
