import type { Dirent } from 'node:fs'
import { variableFolder } from '../../shared/variables.ts'

export const dataLink = '..data'
/** The file with the ID of the notification delivered last. */
export const notifiedFile = '..notified'
/** The files with what is to be known after a restart: of turns, and which certificates of coordinators to trust. */
export const keptFiles = { turns: '..turns', authorities: '..authorities' } as const

const ownFiles: ReadonlySet<string> = new Set([dataLink, notifiedFile, ...Object.values(keptFiles)])

/** The names that users see at the top of the volume: the first component of each path. Files of variables are only in the set. */
export const firstComponents = (paths: Iterable<string>): Set<string> => {
  const names = new Set(Array.from(paths, (path) => path.split('/', 1)[0] ?? path))
  names.delete(variableFolder)
  return names
}

/**
 * Names at the top of the volume that are no longer needed: folders other than the current one, remains of a crash, and links
 * to files that the current set no longer has. If the current names are unknown, no link counts as stale.
 */
export const leftovers = (
  entries: readonly Pick<Dirent, 'name' | 'isSymbolicLink'>[],
  { current, names }: { current: string | undefined; names: ReadonlySet<string> | undefined },
): string[] =>
  entries
    .filter((entry) => {
      const { name } = entry
      if (ownFiles.has(name) || name === current) return false
      return name.startsWith('..') || (names !== undefined && entry.isSymbolicLink() && !names.has(name))
    })
    .map(({ name }) => name)

/** A folder's name in the kubelet's format, `..2006_01_02_15_04_05.123456789`. */
export function folderName(now: number, random: string): string {
  const [date, time] = new Date(now).toISOString().split('T') as [string, string]
  return `..${date.replaceAll('-', '_')}_${time.slice(0, 8).replaceAll(':', '_')}.${random}`
}
