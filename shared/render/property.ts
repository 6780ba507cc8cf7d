import { propertyNames, spellName } from '../objects/property.ts'
import { printable } from '../printable.ts'
import { finishInTurns } from '../steps.ts'
import { readJson, writtenNumber } from './json.ts'
import { maxOutput, RenderFailure } from './rendered.ts'

/**
 * Returns the field of a JSON or YAML text at a path: a string as it is, anything else as compact JSON.
 * @param property a path that matches `propertyPattern`
 * @throws {@link RenderFailure} that names the existing fields of JSON, never a value
 */
export async function readProperty(text: string, property: string): Promise<string> {
  const json = readJson(text)
  let { value } = json ?? (await readYamlData(text))
  const path: string[] = []
  for (const name of propertyNames(property)) {
    if (!has(value, name)) throw new RenderFailure(missing(value, name, path, json !== undefined))
    value = value[name]
    path.push(name)
  }
  if (typeof value === 'string') return value
  if (sizeOf(value) > maxOutput)
    throw new RenderFailure(`property ${shown(path)} has more than ${maxOutput} characters as JSON`)
  return JSON.stringify(value)
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value) as null)

const has = (value: unknown, name: string): value is Record<string, unknown> =>
  (isMap(value) && Object.hasOwn(value, name)) ||
  (Array.isArray(value) && /^(0|[1-9]\d{0,9})$/.test(name) && Number(name) < value.length)

const mostNames = 10
const longestName = 40

/** Returns a path or name for a message: as it is written in `property`, printable, and cut. */
function shown(path: readonly string[]): string {
  const spelled = printable(path.map(spellName).join('.'))
  return spelled.length > longestName ? `${spelled.slice(0, longestName)}...` : spelled
}

/** Names of YAML are not shown: a password that ends in a colon is a map, and its only field is the password. */
function missing(value: unknown, name: string, path: readonly string[], isJson: boolean): string {
  const place = path.length === 0 ? 'the secret' : shown(path)
  const lacks = `property: ${place} has no field ${shown([name])}`
  if (Array.isArray(value))
    return value.length === 0
      ? `${lacks}: it is an empty list`
      : `${lacks}: it is a list, whose items are 0 to ${value.length - 1}`
  if (!isMap(value)) return `${lacks}: it is neither a map nor a list`
  const names = Object.keys(value)
  if (names.length === 0) return `${lacks}: it is an empty map`
  if (!isJson)
    return `${lacks}: it is not JSON but a map of YAML, which has ${names.length === 1 ? 'one field' : `${names.length} fields`}`
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : ''
  const some = names.slice(0, mostNames).map((one) => shown([one]))
  return `${lacks}: its fields are ${some.join(', ')}${more}`
}

/** The YAML library is loaded with the first secret that is not JSON. */
async function readYamlData(text: string): Promise<{ value: unknown }> {
  const { YamlEffort, yamlBounds, yamlSteps } = await import('../yaml-text.ts')
  const read = await finishInTurns(yamlSteps(text.replace(/^\ufeff/, ''), new YamlEffort(), plainValue))
  if (read.ok) return read
  // The library's own messages quote the text.
  const { parts, depth, aliases } = yamlBounds
  throw new RenderFailure(
    `property needs JSON or YAML, and its value is neither (of YAML at most ${parts} words, signs and lines, ${depth} levels and ${aliases} aliases are read)`,
  )
}

/** Returns a plain scalar as JSON. Text that JSON cannot express (`0755`, `0x1F`, `.5`) stays text. */
function plainValue(text: string): unknown {
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? writtenNumber(text) : text
}

/**
 * Returns the number of characters of a value as JSON, not counting escapes in names. Aliases of YAML repeat values,
 * and may be circular, which is infinite.
 */
function sizeOf(value: unknown, known = new Map<object, number>()): number {
  if (!isMap(value) && !Array.isArray(value)) return JSON.stringify(value).length
  const size = known.get(value)
  if (size !== undefined) return size
  known.set(value, Infinity)
  const names = Array.isArray(value) ? 0 : Object.keys(value).reduce((sum, name) => sum + name.length + 3, 0)
  const sum = Object.values(value).reduce((sum: number, item) => sum + 1 + sizeOf(item, known), names + 2)
  known.set(value, sum)
  return sum
}
