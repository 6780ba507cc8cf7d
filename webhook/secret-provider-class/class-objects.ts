import { maxObjects, type ObjectRequest } from '../../shared/object-spec.ts'
import { checkObject } from '../../shared/objects.ts'
import { fail, type Parsed } from '../../shared/parsed.ts'
import { didYouMean, quote } from '../../shared/suggest.ts'
import { readYaml, YamlEffort } from '../../shared/yaml-text.ts'

/** What is found wrong or questionable in a class: sentences. */
export interface Findings {
  problems: string[]
  warnings: string[]
}

/**
 * An object's fields, as the Azure provider spells them, and ours.
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

const known = Object.keys(fields) as Field[]
const isKnown = (field: string): field is Field => Object.hasOwn(fields, field)
const spell = (ours: string): string => known.find((field) => fields[field] === ours) ?? ours

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads the parameter `objects`: the YAML text of a map whose `array` is a list of objects, each a YAML text itself. */
export function readClassObjects(text: string, { problems, warnings }: Findings): ObjectRequest[] {
  const shape = 'objects: expected the text of a map with "array:", a list of objects that each are a text ("- |")'
  const effort = new YamlEffort()
  const read = readYaml(text, effort)
  if (!read.ok) problems.push(...read.problems.map((problem) => `objects: ${problem}`))
  if (!read.ok) return []
  // The key without a list is null.
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
  return array.flatMap((item: unknown, index) => {
    const parsed = readItem(item, `object ${index + 1}`, effort, warnings)
    if (parsed.ok) return [parsed.value]
    problems.push(...parsed.problems)
    return []
  })
}

function readItem(item: unknown, place: string, effort: YamlEffort, warnings: string[]): Parsed<ObjectRequest> {
  if (isMap(item)) return fail(`${place}: expected a text; begin the entry with "- |"`)
  if (typeof item !== 'string') return fail(`${place}: expected the text of an object's fields`)
  const read = readYaml(item, effort)
  if (!read.ok) return fail(...read.problems.map((problem) => `${place}: ${problem}`))
  if (!isMap(read.value)) return fail(`${place}: expected fields such as objectName and objectType`)
  return readFields(read.value, place, warnings)
}

function readFields(value: Record<string, unknown>, place: string, warnings: string[]): Parsed<ObjectRequest> {
  const { objectName, objectType } = value
  const where = typeof objectName === 'string' ? `${place} (${quote(objectName.trim())})` : place
  const raw: Partial<Record<keyof ObjectRequest, unknown>> = {}
  for (const [field, content] of Object.entries(value)) {
    if (isKnown(field)) raw[fields[field]] = content
    else warnings.push(`${where}: unknown field ${quote(field)} is ignored${didYouMean(field, known)}`)
  }
  // Its default is ours alone: the provider has none.
  const untyped =
    objectType === undefined || objectType === null || (typeof objectType === 'string' && objectType.trim() === '')
  const checked = checkObject(raw, where, spell)
  if (!untyped) return checked
  return fail(`${where}: objectType is required: secret, key or cert`, ...(checked.ok ? [] : checked.problems))
}
