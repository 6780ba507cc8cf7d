import leven from 'leven'

const mostLooked = 100
const mostListed = 20

/**
 * The known name that `name` was probably meant to be: at most a third of its characters differ, or two (a swap of neighbors),
 * case aside. Only the first hundred characters, known names and lengths that can be near are compared.
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const meant = name.slice(0, 100).toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(meant.length < 4 ? 1 : 2, Math.floor(meant.length / 3)) + 1
  let looked = 0
  for (const candidate of known) {
    if (++looked > mostLooked) break
    if (Math.abs(candidate.length - meant.length) >= bestDistance) continue
    const distance = leven(meant, candidate.toLowerCase(), { maxDistance: bestDistance })
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** ` (did you mean "x"?)`, or nothing when no known name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const meant = nearest(name, known)
  return meant === undefined ? '' : ` (did you mean "${meant}"?)`
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
