import { maxObjects, type ObjectRequest } from '../../../shared/objects/spec.ts'
import { checkObject } from '../../../shared/objects/parse.ts'
import { fail, type Result } from '../../../shared/result.ts'
import { didYouMean, quote } from '../../../shared/messages.ts'
import type { Steps } from '../../../shared/steps.ts'
import { readYaml, YamlEffort, yamlSteps } from '../../../shared/yaml-text.ts'

/** The problems and warnings of a class: sentences. */
export interface ClassMessages {
  problems: string[]
  warnings: string[]
}

/**
 * An object's fields as the Azure provider spells them, and the injector's names.
 * {@link https://azure.github.io/secrets-store-csi-driver-provider-azure/docs/getting-started/usage/}
 */
const fields = {
  objectName: 'name',
  objectType: 'type',
  objectAlias: 'path',
  objectVersion: 'version',
  objectVersionHistory: 'history',
  objectFormat: 'format',
  objectEncoding: 'encoding',
  filePermission: 'mode',
} as const satisfies Record<string, keyof ObjectRequest>
type Field = keyof typeof fields

const providerFormats: readonly string[] = ['pem', 'pfx']

const known = Object.keys(fields) as Field[]
const isKnown = (field: string): field is Field => Object.hasOwn(fields, field)
const spell = (ours: string): string => known.find((field) => fields[field] === ours) ?? ours

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads the parameter `objects`: the YAML text of a map whose `array` is a list of objects, each of which is a YAML text. */
export function* classObjectSteps(text: string, { problems, warnings }: ClassMessages): Steps<ObjectRequest[]> {
  const shape = 'objects: expected the text of a map with "array:", a list of objects that each are a text ("- |")'
  const effort = new YamlEffort()
  const read = yield* yamlSteps(text, effort)
  if (!read.ok) problems.push(...read.problems.map((problem) => `objects: ${problem}`))
  if (!read.ok) return []
  // A key without a list is null.
  const array = isMap(read.value) && 'array' in read.value ? (read.value['array'] ?? []) : undefined
  if (!isMap(read.value) || !Array.isArray(array)) {
    problems.push(shape)
    return []
  }
  for (const field of Object.keys(read.value)) {
    if (field !== 'array') warnings.push(`objects: unknown field ${quote(field)} is ignored`)
  }
  if (array.length === 0) problems.push('objects: the array is empty: list at least one object in it')
  if (array.length > maxObjects) {
    problems.push(`objects: ${array.length} are more than a pod may have, ${maxObjects}: split the class`)
    return []
  }
  const objects: ObjectRequest[] = []
  for (const [index, item] of array.entries()) {
    if (index % portion === 0) yield
    const parsed = readItem(item, `object ${index + 1}`, effort, warnings)
    if (parsed.ok) objects.push(parsed.value)
    else problems.push(...parsed.problems)
  }
  return objects
}

/** Number of objects that are read in one step. */
const portion = 10

function readItem(item: unknown, place: string, effort: YamlEffort, warnings: string[]): Result<ObjectRequest> {
  if (isMap(item)) return fail(`${place}: expected a text; begin the entry with "- |"`)
  if (typeof item !== 'string') return fail(`${place}: expected the text of an object's fields`)
  const read = readYaml(item, effort)
  if (!read.ok) return fail(...read.problems.map((problem) => `${place}: ${problem}`))
  if (!isMap(read.value)) return fail(`${place}: expected fields such as objectName and objectType`)
  return readFields(read.value, place, warnings)
}

function readFields(value: Record<string, unknown>, place: string, warnings: string[]): Result<ObjectRequest> {
  const { objectName, objectType } = value
  const where = typeof objectName === 'string' ? `${place} (${quote(objectName.trim())})` : place
  const raw: Partial<Record<keyof ObjectRequest, unknown>> = {}
  for (const [field, content] of Object.entries(value)) {
    if (isKnown(field)) raw[fields[field]] = content
    else warnings.push(`${where}: unknown field ${quote(field)} is ignored${didYouMean(field, known)}`)
  }
  // The provider supports only two formats.
  const wrong: string[] = []
  if (
    typeof raw.format === 'string' &&
    raw.format.trim() !== '' &&
    !providerFormats.includes(raw.format.trim().toLowerCase())
  ) {
    wrong.push(
      `${where}: objectFormat ${quote(raw.format)}: expected one of ${providerFormats.join(', ')}${didYouMean(raw.format, providerFormats)}`,
    )
    delete raw.format
  }
  // The provider has no default, so the injector's does not apply.
  const untyped =
    objectType === undefined || objectType === null || (typeof objectType === 'string' && objectType.trim() === '')
  const checked = checkObject(raw, where, spell)
  if (untyped) wrong.push(`${where}: objectType is required: secret, key or cert`)
  return wrong.length === 0 ? checked : fail(...wrong, ...(checked.ok ? [] : checked.problems))
}
