import { posix } from 'node:path'

/** Folders that are links in the images of common distributions, so that two paths name one place. */
const links: readonly (readonly [link: string, target: string])[] = [
  ['/var/run', '/run'],
  ['/var/lock', '/run/lock'],
  ['/bin', '/usr/bin'],
  ['/sbin', '/usr/sbin'],
  ['/lib', '/usr/lib'],
  ['/lib32', '/usr/lib32'],
  ['/lib64', '/usr/lib64'],
]

/** Normalizes a path like the kubelet does: absolute, without `.`, `..`, double slashes and trailing slashes. */
export const cleaned = (path: string): string => (isClean.test(path) ? path : posix.resolve('/', path))
/** Most paths are, and a pod may have thousands of mounts. */
const isClean = /^(\/[^/.][^/]*)+$/

/** The place that a container's path means, however it is spelled: cleaned, and with the usual links followed. */
export function placeOf(path: string): string {
  const clean = cleaned(path)
  const link = links.find(([from]) => isWithin(clean, from))
  return link === undefined ? clean : link[1] + clean.slice(link[0].length)
}

/** Whether a normalized path is a folder or inside it. */
export const isWithin = (path: string, folder: string): boolean =>
  path.startsWith(folder) && (path.length === folder.length || folder === '/' || path[folder.length] === '/')

type Relation = 'same' | 'inside' | 'around' | 'apart'

/**
 * Returns the relation of two paths of a container: `inside` means that the first is below the second. Compares the paths as written first,
 * because a mount may hide a link, and then the places that they lead to.
 */
export function relationOf(path: string, other: string): Relation {
  const asWritten = compare(cleaned(path), cleaned(other))
  return asWritten === 'apart' ? compare(placeOf(path), placeOf(other)) : asWritten
}

function compare(path: string, other: string): Relation {
  if (path === other) return 'same'
  if (isWithin(path, other)) return 'inside'
  return isWithin(other, path) ? 'around' : 'apart'
}
