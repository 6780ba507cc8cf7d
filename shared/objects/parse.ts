import { filesOfFind, type FindRequest } from './find.ts'
import { mostFinds } from './formats.ts'
import { filesOf, maxObjects, objectName, tooMany, type ObjectRequest } from './spec.ts'
import { parseBundle } from './parse-bundle.ts'
import { parseFind } from './parse-find.ts'
import { checkObject, defaults, isUnset } from './parse-object.ts'
import type { BundleSpec } from './schema.ts'
import { fail, ok, type Result } from '../result.ts'
import { pathProblem, treeProblems, type PlannedFile } from '../paths.ts'
import { didYouMean, quote } from '../messages.ts'
import { readYaml, yamlBounds } from '../yaml-text.ts'

export { checkObject, objectFields, parseBoolean, parseMode } from './parse-object.ts'

/** The contents of the annotation `objects`. */
export interface ObjectsDocument {
  objects: ObjectRequest[]
  /** Absent if there are none. */
  finds?: FindRequest[]
  /** LiquidJS templates by the path that they are written to. */
  templates: Record<string, string>
  /** Formats by the path that they are written to. */
  bundles: Record<string, BundleSpec>
}

/**
 * Parses the annotation `objects`: entries `[secret/|key/|cert/]name[@version][=path]`, separated by commas or lines;
 * or YAML with a list of entries or of maps of {@link objectFields}, or a map with `objects`, `templates` and
 * `bundles`.
 */
export function parseObjects(text: string): Result<ObjectsDocument> {
  if (text.length > yamlBounds.characters)
    return fail(
      `the text has ${text.length} characters, and at most ${yamlBounds.characters} are read: move objects into a SecretProviderClass, or split the pod's objects`,
    )
  const parsed = looksLikeYaml(text) ? parseYaml(text) : parseEntries(text.split(/[,\n]/))
  if (!parsed.ok) return parsed
  const { objects, finds = [], templates, bundles } = parsed.value
  const tooLarge = tooMany(objects)
  if (tooLarge !== undefined) return fail(tooLarge)
  const problems = treeProblems([
    ...objects.flatMap((object) => filesOf(object).map((path) => ({ path, source: objectName(object) }))),
    ...finds.flatMap(filesOfFind),
    ...Object.keys(templates).map((path): PlannedFile => ({ path, source: `template ${quote(path)}` })),
    ...Object.keys(bundles).map((path): PlannedFile => ({ path, source: `bundle ${quote(path)}` })),
  ])
  return problems.length > 0 ? fail(...problems) : parsed
}

const looksLikeYaml = (text: string): boolean =>
  /^\s*(\[|\{|-\s|---(\s|$)|#)/.test(text) || /^\s*["']?[A-Za-z]+["']?\s*:(\s|$)/.test(text)

const tooManyListed = ({ length }: readonly unknown[]): string =>
  `${length} objects are more than a pod may have, ${maxObjects}`

function parseEntries(entries: string[]): Result<ObjectsDocument> {
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

/** Parses one compact entry, such as `cert/web-tls@0123abcd=tls/web.pem`. */
export function parseEntry(entry: string): Result<ObjectRequest> {
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

/** Prints a request that {@link parseEntry} reads back, or undefined if only YAML can express it. */
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

function parseYaml(text: string): Result<ObjectsDocument> {
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

function readDocument(value: Record<string, unknown>): Result<ObjectsDocument> {
  const problems = Object.keys(value)
    .filter((field) => !documentFields.includes(field))
    .map((field) => `unknown field ${quote(field)}${didYouMean(field, documentFields)}`)
  const document: ObjectsDocument = {
    ...readObjects(value['objects'] ?? [], problems),
    templates: readMap('templates', 'texts', value['templates'] ?? {}, parseText, problems),
    bundles: readMap('bundles', 'formats', value['bundles'] ?? {}, parseBundle, problems),
  }
  const isEmpty = Object.values(document).every((part: object) => Object.keys(part).length === 0)
  if (problems.length === 0 && isEmpty) problems.push('expected at least one object')
  return problems.length > 0 ? fail(...problems) : ok(document)
}

function readObjects(value: unknown, problems: string[]): Pick<ObjectsDocument, 'objects' | 'finds'> {
  const objects: ObjectRequest[] = []
  const finds: FindRequest[] = []
  if (!Array.isArray(value)) {
    problems.push('objects: expected a list')
    return { objects }
  }
  if (value.length > maxObjects) {
    problems.push(tooManyListed(value))
    return { objects }
  }
  for (const [index, item] of (value as unknown[]).entries()) {
    const where = `object ${index + 1}`
    const isFind = isMap(item) && Object.hasOwn(item, 'find')
    const parsed = isFind ? parseFind(item, where) : readObject(item, where)
    if (!parsed.ok) problems.push(...parsed.problems)
    else if ('tags' in parsed.value) finds.push(parsed.value)
    else objects.push(parsed.value)
  }
  if (finds.length > mostFinds) problems.push(`${finds.length} finds are more than a pod may have, ${mostFinds}`)
  return { objects, ...(finds.length > 0 && { finds }) }
}

function readObject(item: unknown, where: string): Result<ObjectRequest> {
  if (typeof item === 'string') return parseEntry(item.trim())
  if (!isMap(item)) return fail(`${where}: expected a map of fields or a compact entry`)
  const checked = checkObject(item, typeof item['name'] === 'string' ? `${where} (${quote(item['name'])})` : where)
  return checked.ok && !isUnset(item['format'] ?? null) ? ok({ ...checked.value, convert: true }) : checked
}

const parseText = (value: unknown): Result<string> => (typeof value === 'string' ? ok(value) : fail('expected a text'))

/** Parses a map from paths to values that `parse` accepts. */
function readMap<T>(
  field: string,
  of: string,
  value: unknown,
  parse: (value: unknown) => Result<T>,
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
    const parsed = parse(text)
    if (parsed.ok) return [[path, parsed.value] as const]
    problems.push(...parsed.problems.map((problem) => `${where}: ${problem}`))
    return []
  })
  return Object.fromEntries(entries)
}
