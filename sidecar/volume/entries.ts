import type { Dirent } from 'node:fs'

export const dataLink = '..data'
/** Holds the id of the notification delivered last. */
export const notifiedFile = '..notified'

/** What users see at the top of the volume: the first component of each path. */
export const firstComponents = (paths: Iterable<string>): Set<string> =>
  new Set(Array.from(paths, (path) => path.split('/', 1)[0] ?? path))

/**
 * Names at the top of the volume that nothing needs: other folders than the current one, what a crash left half made, and
 * links to files that the current set no longer has. Where the current names are not known no link counts as stale.
 */
export const leftovers = (
  entries: readonly Pick<Dirent, 'name' | 'isSymbolicLink'>[],
  { current, names }: { current: string | undefined; names: ReadonlySet<string> | undefined },
): string[] =>
  entries
    .filter((entry) => {
      const { name } = entry
      if (name === dataLink || name === notifiedFile || name === current) return false
      return name.startsWith('..') || (names !== undefined && entry.isSymbolicLink() && !names.has(name))
    })
    .map(({ name }) => name)

/** A folder's name as the kubelet makes them, `..2006_01_02_15_04_05.123456789`. */
export function folderName(now: number, random: string): string {
  const [date, time] = new Date(now).toISOString().split('T') as [string, string]
  return `..${date.replaceAll('-', '_')}_${time.slice(0, 8).replaceAll(':', '_')}.${random}`
}
