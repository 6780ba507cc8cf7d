import type { PlannedFile } from '../paths.ts'
import type { FindSpec } from './find-schema.ts'
import type { ObjectSpec } from './schema.ts'
import { filesOf } from './spec.ts'

export type { Finds, FindSpec } from './find-schema.ts'

/** What a user wrote about a find: the vault may be left to the pod's annotation. */
export type FindRequest = Omit<FindSpec, 'vault' | 'identity'> & { vault?: string }

const placeholder = '{name}'

/** The path of a match. */
export const matchPath = ({ path }: Pick<FindSpec, 'path'>, name: string): string =>
  path.replaceAll(placeholder, () => name)

/** The files of a find whose path does not have the name of the match: then only one object can match. */
export function filesOfFind(find: Pick<FindSpec, 'type' | 'name' | 'tags' | 'path' | 'split'>): PlannedFile[] {
  const { path, split } = find
  if (path.includes(placeholder)) return []
  return filesOf({ path, history: 1, split }).map((file) => ({ path: file, source: findName(find) }))
}

/** True if a find selects every object of its vault and type. */
export const selectsAll = ({ name, tags }: Pick<FindSpec, 'name' | 'tags'>): boolean =>
  !/[0-9a-zA-Z]/.test(name) && Object.keys(tags).length === 0

/** `find of secrets web-* with tag app=web`: how messages name a find. The texts are a user's, and tags may have any characters. */
export function findName({ type, name, tags }: Pick<FindSpec, 'type' | 'name' | 'tags'>): string {
  const pairs = Object.entries(tags).map(([tag, value]) => JSON.stringify(`${tag}=${value}`).slice(1, -1))
  const some = pairs.slice(0, 3).map((pair) => (pair.length > 60 ? `${pair.slice(0, 57)}...` : pair))
  const tagged = pairs.length === 0 ? '' : ` with tag ${some.join(', ')}${pairs.length > 3 ? ', ...' : ''}`
  return `find of ${type}s ${name}${tagged}`
}

/** The object that a match becomes. */
export function matchedObject(find: FindSpec, name: string): ObjectSpec {
  const { name: _pattern, tags: _tags, group: _group, path: _path, ...rest } = find
  return { ...rest, name, path: matchPath(find, name), history: 1 }
}

/** True if an object that a list shows is one that the find selects. */
export const selects = (
  { name: pattern, tags: wanted }: Pick<FindSpec, 'name' | 'tags'>,
  { name, tags }: { name: string; tags: Readonly<Record<string, string>> },
): boolean =>
  Object.entries(wanted).every(([tag, value]) => Object.hasOwn(tags, tag) && tags[tag] === value) &&
  matchesName(pattern, name)

/** Compares a name with a pattern, in time proportional to the product of their lengths at most: both are others' texts. */
export function matchesName(pattern: string, name: string): boolean {
  const [first = '', ...parts] = pattern.toLowerCase().split('*')
  const text = name.toLowerCase()
  const last = parts.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  // The earliest place of each part leaves the most for the next one.
  let at = first.length
  for (const part of parts) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
