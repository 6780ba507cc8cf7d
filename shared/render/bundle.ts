import { firstSuggestions, quote } from '../messages.ts'
import type { BundleSelection, BundleSpec } from '../objects/schema.ts'
import { objectName, type ObjectSpec } from '../objects/spec.ts'
import { membersIn, noGroups, type Groups } from './groups.ts'

/** Returns an object's name as an environment variable: `db-password` is `DB_PASSWORD`, `2fa` is `_2FA`. */
export const variableName = (name: string): string => name.toUpperCase().replaceAll('-', '_').replace(/^\d/, '_$&')

/** The fields of an object that a selection depends on. */
type Named = Pick<ObjectSpec, 'type' | 'name' | 'path'>

export const selectionOf = (bundle: BundleSpec): BundleSelection =>
  typeof bundle === 'string' ? { format: bundle } : bundle

/** The secrets of a bundle by their name in it, and the problems of the selection. */
export interface BundleMembers<T> {
  members: Map<string, T>
  problems: string[]
}

/**
 * Selects the secrets of a bundle. A text of the selection means the secret whose file has that path, or else every
 * secret with that name.
 * @param objectsKnown if false, naming an unknown secret is not a problem
 * @param found what finds selected: all of it without `only` and `groups`
 */
export function membersOf<T extends Named>(
  bundle: BundleSpec,
  objects: readonly T[],
  objectsKnown = true,
  found: Groups<T> = noGroups,
): BundleMembers<T> {
  const { format, only, groups, except = [], names = {} } = selectionOf(bundle)
  const problems: string[] = []
  const find = finder(objects, objectsKnown, problems)
  const listed = only || groups ? new Set(only) : undefined
  const wanted = listed && new Set([...listed].flatMap((text) => find('only', text)))
  const unwanted = new Set([...new Set(except)].flatMap((text) => find('except', text)))
  const contradictions = except.filter((text) => listed?.has(text))
  problems.push(...contradictions.map((text) => `${quote(text)} is in only and in except`))
  if (objectsKnown) problems.push(...unknownGroups(groups, found.groups))
  const named = objects.filter((object) => (wanted?.has(object) ?? true) && !unwanted.has(object))
  const isListed = (group: string | undefined) =>
    groups === undefined ? listed === undefined : group !== undefined && groups.includes(group)
  const secrets = [...named, ...membersIn(found, isListed)].filter(({ type }) => type === 'secret')
  const isMember = new Set(secrets)
  const keys = new Map<T, string>()
  for (const [text, key] of Object.entries(names)) {
    const found = find('names', text)
    for (const object of found) keys.set(object, key)
    if (found.some((object) => !isMember.has(object)))
      problems.push(`names: ${quote(text)} is not in the bundle, because of only or except`)
  }
  const members = new Map<string, T>()
  let clashes = 0
  for (const secret of secrets) {
    const key = keys.get(secret) ?? (format === 'dotenv' ? variableName(secret.name) : secret.name)
    const other = members.get(key)
    if (other !== undefined && clashes++ === 0)
      problems.push(clash(other, secret, key, named.includes(other) && named.includes(secret)))
    members.set(key, secret)
  }
  const mayBeEmpty = typeof bundle === 'string' || groups !== undefined || (listed === undefined && found.hasFinds)
  if (!mayBeEmpty && secrets.length === 0 && objectsKnown && problems.length === 0)
    problems.push('the selection leaves no secret')
  return { members, problems }
}

function unknownGroups(groups: readonly string[] = [], known: readonly string[]): string[] {
  const suggest = firstSuggestions()
  return groups
    .filter((group) => !known.includes(group))
    .map((group) => `groups: no find has the group ${quote(group)}${suggest(group, known)}`)
}

const clash = ({ path }: Named, { path: other }: Named, key: string, areNamed: boolean): string =>
  `the secrets at "${path}" and "${other}" would both be ${key}; ${areNamed ? 'give one of them another name with names, or leave it out with except' : 'choose the secrets of the bundle with only and groups'}`

/** Finds the secrets that a text means; a text that means none is a problem. */
function finder<T extends Named>(objects: readonly T[], objectsKnown: boolean, problems: string[]) {
  const byPath = new Map(objects.map((object) => [object.path, object]))
  const byName = Map.groupBy(objects, ({ name }) => name)
  const suggest = firstSuggestions()
  return (field: string, text: string): T[] => {
    const exact = byPath.get(text)
    const found = exact === undefined ? (byName.get(text) ?? []) : [exact]
    const secrets = found.filter(({ type }) => type === 'secret')
    const [other] = found
    if (other !== undefined && secrets.length === 0)
      problems.push(`${field}: ${objectName(other)} is not a secret, and a bundle holds secrets only`)
    else if (secrets.length === 0 && objectsKnown)
      problems.push(`${field}: there is no secret ${quote(text)}${suggest(text, [...byName.keys(), ...byPath.keys()])}`)
    return secrets
  }
}

/** Returns how the selection of a bundle refers to a secret among others. */
export const memberName = ({ name, path }: Named, objects: readonly Named[]): string =>
  objects.filter((one) => one.name === name || one.path === name).length > 1 ? path : name
