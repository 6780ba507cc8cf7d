import { didYouMean, quote } from '../messages.ts'
import { pathProblem } from '../paths.ts'
import { fail, ok, type Result } from '../result.ts'
import { matchPath, type FindRequest } from './find.ts'
import { checkObject, isUnset } from './parse-object.ts'

/** Fields of an object that also apply to what is found. */
const objectFields = ['vault', 'type', 'format', 'encoding', 'property', 'mode', 'optional', 'split']
const findFields = ['type', 'name', 'tags', 'group', 'path', ...objectFields.filter((field) => field !== 'type')]

/** Key Vault gives an object no more, and none is longer. {@link https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#objects-identifiers-and-versioning} */
const mostTags = 15
const longestTag = 256

/** Reads an entry `find: {...}` of the list of objects. `where` begins each problem. */
export function parseFind(item: Record<string, unknown>, where: string): Result<FindRequest> {
  const others = Object.keys(item).filter((field) => field !== 'find')
  const find = item['find']
  if (others.length > 0)
    return fail(`${where}: ${others.map(quote).join(', ')} beside find: write the fields of a find into its map`)
  if (!isMap(find)) return fail(`${where}: find: expected a map of ${findFields.join(', ')}`)
  const problems = Object.keys(find).flatMap((field) => unknownField(field))
  const name = read(find, 'name', '*', parsePattern, problems)
  const path = read(find, 'path', '{name}', parsePath, problems)
  const group = isUnset(find['group'] ?? null) ? undefined : read(find, 'group', '', parseGroup, problems)
  const tags = isUnset(find['tags'] ?? null) ? {} : readTags(find['tags'], problems)
  const fields = Object.entries(find).filter(([field]) => objectFields.includes(field))
  const object = checkObject({ ...Object.fromEntries(fields), name: 'x' }, 'find')
  if (!object.ok) problems.push(...object.problems.map((problem) => problem.slice('find: '.length)))
  if (!object.ok || problems.length > 0) return fail(...problems.map((problem) => `${where}: find: ${problem}`))
  const { name: _name, path: _path, history: _history, ...rest } = object.value
  const convert = isUnset(find['format'] ?? null) ? {} : { convert: true as const }
  return ok({ ...rest, ...convert, name, tags, path, ...(group !== undefined && { group }) })
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function unknownField(field: string): string[] {
  if (findFields.includes(field)) return []
  if (field === 'version' || field === 'history') return [`${field} is for objects that are named, not for a find`]
  return [`unknown field ${quote(field)}${didYouMean(field, findFields)}`]
}

function read(
  find: Record<string, unknown>,
  field: string,
  unset: string,
  parse: (text: string) => Result<string>,
  problems: string[],
): string {
  const value = find[field] ?? null
  if (isUnset(value)) return unset
  const parsed = typeof value === 'string' ? parse(value.trim()) : fail('expected a text')
  if (parsed.ok) return parsed.value
  const shown = typeof value === 'string' ? ` ${quote(value)}` : ''
  problems.push(...parsed.problems.map((problem) => `${field}${shown}: ${problem}`))
  return unset
}

const parsePattern = (text: string): Result<string> =>
  /^[0-9a-zA-Z*-]{1,127}$/.test(text)
    ? ok(text)
    : fail('expected 1 to 127 letters, digits and dashes, in which * stands for any characters')

const parseGroup = (text: string): Result<string> =>
  /^[A-Za-z][0-9A-Za-z_-]{0,62}$/.test(text)
    ? ok(text)
    : fail('expected a letter, and at most 62 letters, digits, dashes and underscores')

function parsePath(text: string): Result<string> {
  const unknown = /\{(?!name\})[^}]*\}?/.exec(text)?.[0]
  if (unknown !== undefined) return fail(`expected no braces but {name}, not ${quote(unknown)}`)
  const problem = pathProblem(matchPath({ path: text }, 'x'))
  return problem === undefined ? ok(text) : fail(problem)
}

function readTags(value: unknown, problems: string[]): Record<string, string> {
  if (!isMap(value)) {
    problems.push('tags: expected a map of tags to values')
    return {}
  }
  const entries = Object.entries(value)
  if (entries.length > mostTags) problems.push(`tags: ${entries.length} are more than an object has, ${mostTags}`)
  const wrong = entries.find(
    ([tag, one]) => tag.length > longestTag || typeof one !== 'string' || one.length > longestTag,
  )
  if (wrong !== undefined)
    problems.push(`tags: ${quote(wrong[0])}: expected a text of at most ${longestTag} characters`)
  return Object.fromEntries(entries) as Record<string, string>
}
