import { fail, ok, type Result } from '../result.ts'
import { didYouMean, quote } from '../messages.ts'
import { pathProblem } from '../paths.ts'
import { encodings, formats, objectTypes } from './formats.ts'
import { longestProperty, propertyPattern } from './property.ts'
import { combinationProblems, filesOf, type ObjectRequest } from './spec.ts'

/** What an object has if its author does not say. */
export const defaults = {
  type: 'secret',
  history: 1,
  format: 'pem',
  encoding: 'utf-8',
  optional: false,
  split: false,
} as const
const namePattern = /^[0-9a-zA-Z-]{1,127}$/
const versionPattern = /^[0-9a-zA-Z]{1,64}$/
const isProperty = new RegExp(propertyPattern)
const maxHistory = 100

/** The fields that users can write. */
type Field = Exclude<keyof ObjectRequest, 'convert'>

/** A field of an object's YAML map, with the parser of its text. */
const fields: Record<Field, (text: string) => Result<unknown>> = {
  vault: (text) => ok(text),
  type: oneOf(objectTypes),
  name: (text) => (namePattern.test(text) ? ok(text) : fail('expected 1 to 127 letters, digits and dashes')),
  version: (text) =>
    text.toLowerCase() === 'latest'
      ? ok(undefined)
      : versionPattern.test(text)
        ? ok(text)
        : fail('expected the id of a version, letters and digits only'),
  path: (text) => {
    const problem = pathProblem(text)
    return problem === undefined ? ok(text) : fail(problem)
  },
  history: (text) => {
    const count = Number(text)
    if (!/^\d+$/.test(text) || count > maxHistory) return fail(`expected a whole number from 1 to ${maxHistory}`)
    return ok(Math.max(1, count))
  },
  format: oneOf(formats),
  encoding: oneOf(encodings),
  property: (text) =>
    text.length <= longestProperty && isProperty.test(text)
      ? ok(text)
      : fail(
          `expected the path of a field, such as db.password, list.0 or a\\.b, of at most ${longestProperty} characters`,
        ),
  mode: parseMode,
  optional: parseBoolean,
  split: parseBoolean,
}

/** The names of an object's fields in YAML. */
export const objectFields = Object.keys(fields) as Field[]

function oneOf<T extends string>(known: readonly T[]): (text: string) => Result<T> {
  return (text) => {
    const value = known.find((name) => name === text.toLowerCase())
    return value === undefined ? fail(`expected one of ${known.join(', ')}${didYouMean(text, known)}`) : ok(value)
  }
}

/** Parses permission bits in octal: `0440`, `640`. */
export function parseMode(text: string): Result<number> {
  if (!/^0?[0-7]{3}$/.test(text)) return fail('expected three octal digits, with or without a leading 0, such as 0440')
  return ok(Number.parseInt(text, 8))
}

/** Parses `true` or `false`. */
export function parseBoolean(text: string): Result<boolean> {
  return text === 'true' ? ok(true) : text === 'false' ? ok(false) : fail('expected true or false')
}

/** True for nothing, in any spelling. */
export const isUnset = (value: unknown): boolean => value === null || (typeof value === 'string' && value.trim() === '')

/**
 * Checks the fields of one object and adds the defaults. `where` begins each problem.
 * @param spell returns how the text spells a field, for problems
 */
export function checkObject(
  raw: Record<string, unknown>,
  where: string,
  spell: (field: string) => string = (field) => field,
): Result<ObjectRequest> {
  const problems: string[] = []
  const read: Partial<Record<Field, unknown>> = {}
  for (const [field, value] of Object.entries(raw)) {
    if (!Object.hasOwn(fields, field)) {
      problems.push(`${where}: unknown field ${quote(field)}${didYouMean(field, objectFields)}`)
    } else if (isUnset(value)) {
      continue
    } else if (typeof value !== 'string') {
      problems.push(`${where}: ${spell(field)}: expected a text`)
    } else {
      const parsed = fields[field as Field](value.trim())
      if (!parsed.ok) problems.push(`${where}: ${spell(field)} ${quote(value)}: ${parsed.problems.join('; ')}`)
      else if (parsed.value !== undefined) read[field as Field] = parsed.value
    }
  }
  if (isUnset(raw['name'] ?? null)) problems.push(`${where}: ${spell('name')} is required`)
  if (problems.length > 0) return fail(...problems)
  const object = { ...defaults, path: read.name, ...read } as ObjectRequest
  problems.push(...combinationProblems(object, spell).map((problem) => `${where}: ${problem}`))
  // The path itself may be one byte short of too long. The last file has the longest name.
  const longer = pathProblem(filesOf(object).at(-1) as string)
  if (longer !== undefined)
    problems.push(
      `${where}: ${spell('path')} ${quote(object.path)}: with what ${spell('history')} and split add to it, ${longer}`,
    )
  return problems.length > 0 ? fail(...problems) : ok(object)
}
