import { parseDocument } from 'yaml'
import {
  bundleFormats,
  encodings,
  filesOf,
  formats,
  objectName,
  objectTypes,
  type BundleFormat,
  type ObjectRequest,
} from './object-spec.ts'
import { fail, ok, type Parsed } from './parsed.ts'
import { pathProblem, treeProblems, type PlannedFile } from './paths.ts'
import { didYouMean, quote } from './suggest.ts'

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
  const parsed = looksLikeYaml(text) ? parseYaml(text) : parseEntries(text.split(/[,\n]/))
  if (!parsed.ok) return parsed
  const { objects, templates, bundles } = parsed.value
  const problems = treeProblems([
    ...objects.flatMap((object) => filesOf(object).map((path) => ({ path, source: objectName(object) }))),
    ...Object.keys(templates).map((path): PlannedFile => ({ path, source: `template ${quote(path)}` })),
    ...Object.keys(bundles).map((path): PlannedFile => ({ path, source: `bundle ${quote(path)}` })),
  ])
  return problems.length > 0 ? fail(...problems) : parsed
}

const looksLikeYaml = (text: string): boolean =>
  /^\s*(\[|\{|-\s|---|#)/.test(text) || /^\s*["']?[A-Za-z]+["']?\s*:(\s|$)/.test(text)

function parseEntries(entries: string[]): Parsed<ObjectsDocument> {
  const objects: ObjectRequest[] = []
  const problems: string[] = []
  for (const entry of entries.map((part) => part.trim()).filter((part) => part !== '')) {
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
  const document = parseDocument(text, { schema: 'failsafe', logLevel: 'silent', prettyErrors: false })
  const [error] = document.errors
  if (error !== undefined) return fail(`not valid YAML: ${error.message}`)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    return fail(`not valid YAML: ${(cause as Error).message}`)
  }
  if (Array.isArray(value)) return readDocument({ objects: value })
  if (isMap(value)) return readDocument(value)
  return fail('expected a list of objects, or a map of objects, templates and bundles')
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const documentFields = ['objects', 'templates', 'bundles']

function readDocument(value: Record<string, unknown>): Parsed<ObjectsDocument> {
  const problems: string[] = []
  const document: ObjectsDocument = { objects: [], templates: {}, bundles: {} }
  for (const field of Object.keys(value)) {
    if (!documentFields.includes(field))
      problems.push(`unknown field ${quote(field)}${didYouMean(field, documentFields)}`)
  }
  const { objects = [], templates = {}, bundles = {} } = value
  if (!Array.isArray(objects)) problems.push('objects: expected a list')
  else {
    for (const [index, item] of objects.entries()) {
      const parsed =
        typeof item === 'string'
          ? parseEntry(item.trim())
          : isMap(item)
            ? checkObject(
                item,
                `object ${index + 1}${typeof item['name'] === 'string' ? ` (${quote(item['name'])})` : ''}`,
              )
            : fail(`object ${index + 1}: expected a map of fields or a compact entry`)
      if (parsed.ok) document.objects.push(parsed.value)
      else problems.push(...parsed.problems)
    }
    if (objects.length === 0) problems.push('expected at least one object')
  }
  if (!isMap(templates)) problems.push('templates: expected a map of paths to texts')
  else {
    for (const [path, template] of Object.entries(templates)) {
      problems.push(...pathProblems(`templates, ${quote(path)}`, path))
      if (typeof template === 'string') document.templates[path] = template
      else problems.push(`templates, ${quote(path)}: expected a text`)
    }
  }
  if (!isMap(bundles)) problems.push('bundles: expected a map of paths to formats')
  else {
    for (const [path, format] of Object.entries(bundles)) {
      problems.push(...pathProblems(`bundles, ${quote(path)}`, path))
      const parsed = typeof format === 'string' ? parseBundleFormat(format) : fail('expected a text')
      if (parsed.ok) document.bundles[path] = parsed.value
      else problems.push(...parsed.problems.map((problem) => `bundles, ${quote(path)}: ${problem}`))
    }
  }
  return problems.length > 0 ? fail(...problems) : ok(document)
}

/** Reads the name of a bundle's format. */
export function parseBundleFormat(text: string): Parsed<BundleFormat> {
  const format = bundleFormats.find((known) => known === text.trim().toLowerCase())
  return format === undefined
    ? fail(`expected one of ${bundleFormats.join(', ')}${didYouMean(text, bundleFormats)}`)
    : ok(format)
}

const pathProblems = (where: string, path: string): string[] => {
  const problem = pathProblem(path)
  return problem === undefined ? [] : [`${where}: ${problem}`]
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

const unset = (value: unknown): boolean => typeof value === 'string' && /^(|~|null)$/i.test(value.trim())

/** Checks the fields of one object and fills in the defaults. `where` begins each problem. */
export function checkObject(raw: Record<string, unknown>, where: string): Parsed<ObjectRequest> {
  const problems: string[] = []
  const read: Partial<Record<keyof ObjectRequest, unknown>> = {}
  for (const [field, value] of Object.entries(raw)) {
    if (!Object.hasOwn(fields, field)) {
      problems.push(`${where}: unknown field ${quote(field)}${didYouMean(field, objectFields)}`)
    } else if (typeof value !== 'string') {
      problems.push(`${where}: ${field}: expected a text`)
    } else if (field === 'name' || field === 'path' || !unset(value)) {
      const parsed = fields[field as keyof ObjectRequest](value.trim())
      if (!parsed.ok) problems.push(`${where}: ${field} ${quote(value)}: ${parsed.problems.join('; ')}`)
      else if (parsed.value !== undefined) read[field as keyof ObjectRequest] = parsed.value
    }
  }
  if (!Object.hasOwn(raw, 'name')) problems.push(`${where}: name is required`)
  if (problems.length > 0) return fail(...problems)
  const object = { ...defaults, path: read.name, ...read } as ObjectRequest
  problems.push(...combinationProblems(object).map((problem) => `${where}: ${problem}`))
  return problems.length > 0 ? fail(...problems) : ok(object)
}

/** What only the fields together show to be wrong. */
function combinationProblems({ type, format, encoding, split }: ObjectRequest): string[] {
  const problems: string[] = []
  if (type !== 'secret') {
    if (format === 'pfx') problems.push(`format pfx is for type secret only, not ${type}`)
    if (encoding !== 'utf-8') problems.push(`encoding ${encoding} is for type secret only, not ${type}`)
    if (split) problems.push(`split is for type secret only, not ${type}`)
  }
  return problems
}
