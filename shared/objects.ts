import {
  bundleFormats,
  combinationProblems,
  encodings,
  filesOf,
  formats,
  maxObjects,
  objectName,
  objectTypes,
  tooMany,
  type BundleFormat,
  type ObjectRequest,
} from './object-spec.ts'
import { fail, ok, type Parsed } from './parsed.ts'
import { pathProblem, treeProblems, type PlannedFile } from './paths.ts'
import { didYouMean, quote } from './suggest.ts'
import { readYaml, yamlBounds } from './yaml-text.ts'

/** What the annotation `objects` may hold besides objects. */
export interface ObjectsDocument {
  objects: ObjectRequest[]
  /** LiquidJS texts by the path they are written to. */
  templates: Record<string, string>
  /** Formats by the path they are written to. */
  bundles: Record<string, BundleFormat>
}

const defaults = {
  type: 'secret',
  history: 1,
  format: 'pem',
  encoding: 'utf-8',
  optional: false,
  split: false,
} as const
const namePattern = /^[0-9a-zA-Z-]{1,127}$/
const versionPattern = /^[0-9a-zA-Z]{1,64}$/
const maxHistory = 100

/**
 * Reads the annotation `objects`: entries `[secret/|key/|cert/]name[@version][=path]` split by comma or line, or YAML: a list of
 * entries or of maps of {@link objectFields}, or a map of `objects`, `templates` and `bundles`.
 */
export function parseObjects(text: string): Parsed<ObjectsDocument> {
  if (text.length > yamlBounds.characters) return fail(`the text has ${text.length} characters, and at most ${yamlBounds.characters} are read: move objects into a SecretProviderClass, or split the pod's objects`) // prettier-ignore
  const parsed = looksLikeYaml(text) ? parseYaml(text) : parseEntries(text.split(/[,\n]/))
  if (!parsed.ok) return parsed
  const { objects, templates, bundles } = parsed.value
  const tooLarge = tooMany(objects)
  if (tooLarge !== undefined) return fail(tooLarge)
  const problems = treeProblems([
    ...objects.flatMap((object) => filesOf(object).map((path) => ({ path, source: objectName(object) }))),
    ...Object.keys(templates).map((path): PlannedFile => ({ path, source: `template ${quote(path)}` })),
    ...Object.keys(bundles).map((path): PlannedFile => ({ path, source: `bundle ${quote(path)}` })),
  ])
  return problems.length > 0 ? fail(...problems) : parsed
}

const looksLikeYaml = (text: string): boolean =>
  /^\s*(\[|\{|-\s|---(\s|$)|#)/.test(text) || /^\s*["']?[A-Za-z]+["']?\s*:(\s|$)/.test(text)

const tooManyListed = ({ length }: readonly unknown[]): string =>
  `${length} objects are more than a pod may have, ${maxObjects}`

function parseEntries(entries: string[]): Parsed<ObjectsDocument> {
  const objects: ObjectRequest[] = []
  const problems: string[] = []
  const listed = entries.map((part) => part.trim()).filter((part) => part !== '')
  if (listed.length > maxObjects) return fail(tooManyListed(listed))
  for (const entry of listed) {
    const parsed = parseEntry(entry)
    if (parsed.ok) objects.push(parsed.value)
    else problems.push(...parsed.problems)
  }
  if (objects.length === 0 && problems.length === 0) problems.push('expected at least one object')
  return problems.length > 0 ? fail(...problems) : ok({ objects, templates: {}, bundles: {} })
}

/** Reads one compact entry, such as `cert/web-tls@0123abcd=tls/web.pem`. */
export function parseEntry(entry: string): Parsed<ObjectRequest> {
  const [, type, name = '', version, path] = /^(?:([^/=@]*)\/)?([^=@]*)(?:@([^=]*))?(?:=(.*))?$/s.exec(entry) ?? []
  if ([type, name, version, path].some((part) => part?.trim() === '')) {
    return fail(`entry ${quote(entry)}: expected [secret/|key/|cert/]name[@version][=path]`)
  }
  return checkObject(
    {
      ...(type === undefined ? {} : { type }),
      name,
      ...(version === undefined ? {} : { version }),
      ...(path === undefined ? {} : { path }),
    },
    `entry ${quote(entry)}`,
  )
}

/** Prints a request that {@link parseEntry} reads back, or undefined where it has what only YAML can say. */
export function printEntry(object: ObjectRequest): string | undefined {
  const { type, name, version, path, ...rest } = object
  const compact = Object.entries(rest).every(([field, value]) => value === (defaults as Record<string, unknown>)[field])
  if (!compact || /[,\n]/.test(path) || path !== path.trim()) return undefined
  return (
    (type === 'secret' ? '' : `${type}/`) +
    name +
    (version === undefined ? '' : `@${version}`) +
    (path === name ? '' : `=${path}`)
  )
}

function parseYaml(text: string): Parsed<ObjectsDocument> {
  const parsed = readYaml(text)
  if (!parsed.ok) return parsed
  const { value } = parsed
  if (Array.isArray(value)) return readDocument({ objects: value })
  if (isMap(value)) return readDocument(value)
  return fail('expected a list of objects, or a map of objects, templates and bundles')
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const documentFields = ['objects', 'templates', 'bundles']

function readDocument(value: Record<string, unknown>): Parsed<ObjectsDocument> {
  const problems = Object.keys(value)
    .filter((field) => !documentFields.includes(field))
    .map((field) => `unknown field ${quote(field)}${didYouMean(field, documentFields)}`)
  const document: ObjectsDocument = {
    objects: readObjects(value['objects'] ?? [], problems),
    templates: readMap('templates', 'texts', value['templates'] ?? {}, ok<string>, problems),
    bundles: readMap('bundles', 'formats', value['bundles'] ?? {}, parseBundleFormat, problems),
  }
  const isEmpty = Object.values(document).every((part: object) => Object.keys(part).length === 0)
  if (problems.length === 0 && isEmpty) problems.push('expected at least one object')
  return problems.length > 0 ? fail(...problems) : ok(document)
}

function readObjects(value: unknown, problems: string[]): ObjectRequest[] {
  if (!Array.isArray(value)) {
    problems.push('objects: expected a list')
    return []
  }
  if (value.length > maxObjects) {
    problems.push(tooManyListed(value))
    return []
  }
  return value.flatMap((item: unknown, index) => {
    const parsed = readObject(item, `object ${index + 1}`)
    if (parsed.ok) return [parsed.value]
    problems.push(...parsed.problems)
    return []
  })
}

function readObject(item: unknown, where: string): Parsed<ObjectRequest> {
  if (typeof item === 'string') return parseEntry(item.trim())
  if (!isMap(item)) return fail(`${where}: expected a map of fields or a compact entry`)
  return checkObject(item, typeof item['name'] === 'string' ? `${where} (${quote(item['name'])})` : where)
}

/** A map of paths to something that `parse` reads. */
function readMap<T>(
  field: string,
  of: string,
  value: unknown,
  parse: (text: string) => Parsed<T>,
  problems: string[],
): Record<string, T> {
  if (!isMap(value)) {
    problems.push(`${field}: expected a map of paths to ${of}`)
    return {}
  }
  const entries = Object.entries(value).flatMap(([path, text]) => {
    const where = `${field}, ${quote(path)}`
    const problem = pathProblem(path)
    if (problem !== undefined) problems.push(`${where}: ${problem}`)
    const parsed = typeof text === 'string' ? parse(text) : fail('expected a text')
    if (parsed.ok) return [[path, parsed.value] as const]
    problems.push(...parsed.problems.map((problem) => `${where}: ${problem}`))
    return []
  })
  return Object.fromEntries(entries)
}

/** Reads the name of a bundle's format. */
export function parseBundleFormat(text: string): Parsed<BundleFormat> {
  const format = bundleFormats.find((known) => known === text.trim().toLowerCase())
  return format === undefined
    ? fail(`expected one of ${bundleFormats.join(', ')}${didYouMean(text, bundleFormats)}`)
    : ok(format)
}

/** What a field of an object's YAML map means, with the reader of its text. */
const fields: Record<keyof ObjectRequest, (text: string) => Parsed<unknown>> = {
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
  mode: parseMode,
  optional: parseBoolean,
  split: parseBoolean,
}

/** The names of an object's fields, as YAML spells them. */
export const objectFields = Object.keys(fields) as (keyof ObjectRequest)[]

function oneOf<T extends string>(known: readonly T[]): (text: string) => Parsed<T> {
  return (text) => {
    const value = known.find((name) => name === text.toLowerCase())
    return value === undefined ? fail(`expected one of ${known.join(', ')}${didYouMean(text, known)}`) : ok(value)
  }
}

/** Reads permission bits in octal: `0440`, `640`. */
export function parseMode(text: string): Parsed<number> {
  if (!/^0?[0-7]{3}$/.test(text)) return fail('expected three octal digits, with or without a leading 0, such as 0440')
  return ok(Number.parseInt(text, 8))
}

/** Reads `true` or `false`. */
export function parseBoolean(text: string): Parsed<boolean> {
  return text === 'true' ? ok(true) : text === 'false' ? ok(false) : fail('expected true or false')
}

const unset = (value: unknown): boolean => value === null || (typeof value === 'string' && value.trim() === '')

/**
 * Checks the fields of one object and fills in the defaults. `where` begins each problem.
 * @param spell how the text that is being read spells a field, for problems
 */
export function checkObject(
  raw: Record<string, unknown>,
  where: string,
  spell: (field: string) => string = (field) => field,
): Parsed<ObjectRequest> {
  const problems: string[] = []
  const read: Partial<Record<keyof ObjectRequest, unknown>> = {}
  for (const [field, value] of Object.entries(raw)) {
    if (!Object.hasOwn(fields, field)) {
      problems.push(`${where}: unknown field ${quote(field)}${didYouMean(field, objectFields)}`)
    } else if (unset(value)) {
      continue
    } else if (typeof value !== 'string') {
      problems.push(`${where}: ${spell(field)}: expected a text`)
    } else {
      const parsed = fields[field as keyof ObjectRequest](value.trim())
      if (!parsed.ok) problems.push(`${where}: ${spell(field)} ${quote(value)}: ${parsed.problems.join('; ')}`)
      else if (parsed.value !== undefined) read[field as keyof ObjectRequest] = parsed.value
    }
  }
  if (unset(raw['name'] ?? null)) problems.push(`${where}: ${spell('name')} is required`)
  if (problems.length > 0) return fail(...problems)
  const object = { ...defaults, path: read.name, ...read } as ObjectRequest
  problems.push(...combinationProblems(object, spell).map((problem) => `${where}: ${problem}`))
  // The path itself may be one byte short of too long. The last file has the longest name.
  const longer = pathProblem(filesOf(object).at(-1) as string)
  if (longer !== undefined) problems.push(`${where}: ${spell('path')} ${quote(object.path)}: with what ${spell('history')} and split add to it, ${longer}`) // prettier-ignore
  return problems.length > 0 ? fail(...problems) : ok(object)
}
