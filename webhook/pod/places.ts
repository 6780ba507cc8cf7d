import { posix } from 'node:path'

/** Folders that are links in the images of common distributions: two spellings of one place. */
const links: readonly (readonly [link: string, target: string])[] = [
  ['/var/run', '/run'],
  ['/var/lock', '/run/lock'],
  ['/bin', '/usr/bin'],
  ['/sbin', '/usr/sbin'],
  ['/lib', '/usr/lib'],
  ['/lib32', '/usr/lib32'],
  ['/lib64', '/usr/lib64'],
]

/** A path as the kubelet reads it: absolute, without `.`, `..`, doubled and trailing slashes. */
export const cleaned = (path: string): string => posix.resolve('/', path)

/** The place that a container's path means, however it is spelled: cleaned, and with the usual links followed. */
export function placeOf(path: string): string {
  const clean = cleaned(path)
  const link = links.find(([from]) => isWithin(clean, from))
  return link === undefined ? clean : link[1] + clean.slice(link[0].length)
}

/** Whether a clean path is a folder itself or inside it. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`)

type Relation = 'same' | 'inside' | 'around' | 'apart'

/**
 * How two paths of a container lie to each other: `inside` means that the first is below the second. Where a link is hidden by a
 * mount around it, the texts count, else the places.
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
