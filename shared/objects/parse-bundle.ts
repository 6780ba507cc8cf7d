import { didYouMean, quote } from '../messages.ts'
import { fail, ok, type Result } from '../result.ts'
import { bundleFormats, type BundleFormat } from './formats.ts'
import type { BundleSelection, BundleSpec } from './schema.ts'

/** Parses the name of a bundle's format. */
export function parseBundleFormat(text: string): Result<BundleFormat> {
  const format = bundleFormats.find((known) => known === text.trim().toLowerCase())
  return format === undefined
    ? fail(`expected one of ${bundleFormats.join(', ')}${didYouMean(text, bundleFormats)}`)
    : ok(format)
}

const fields = ['format', 'only', 'groups', 'except', 'names']

/** Parses a bundle in the YAML form: the name of a format, or a map that selects and names the secrets. */
export function parseBundle(value: unknown): Result<BundleSpec> {
  if (typeof value === 'string') return parseBundleFormat(value)
  if (!isMap(value)) return fail('expected a format, or a map of format, only, groups, except and names')
  const problems = Object.keys(value)
    .filter((field) => !fields.includes(field))
    .map((field) => `unknown field ${quote(field)}${didYouMean(field, fields)}`)
  const format = typeof value['format'] === 'string' ? parseBundleFormat(value['format']) : fail('format is required')
  if (!format.ok) return fail(...problems, ...format.problems)
  const selection: BundleSelection = { format: format.value }
  for (const field of ['only', 'groups', 'except'] as const) {
    const listed = value[field] ?? undefined
    if (isTexts(listed)) selection[field] = listed
    else if (listed !== undefined)
      problems.push(
        `${field}: expected a list of ${field === 'groups' ? 'groups of finds' : 'names or paths of secrets'}`,
      )
  }
  const names = value['names'] ?? undefined
  if (isMap(names)) selection.names = checkNames(format.value, names, problems)
  else if (names !== undefined)
    problems.push('names: expected a map of names or paths of secrets to names in the bundle')
  if (problems.length > 0) return fail(...problems)
  return ok(Object.keys(selection).length === 1 ? format.value : selection)
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && item !== '')

/** Names that every reader of the format accepts as names. */
const namePatterns: Record<BundleFormat, [pattern: RegExp, expected: string]> = (() => {
  const key: [RegExp, string] = [
    /^[A-Za-z0-9_.[\]-]{1,256}$/,
    'expected at most 256 letters, digits, dots, dashes, underscores and brackets',
  ]
  const variable: [RegExp, string] = [
    /^[A-Za-z_][A-Za-z0-9_]{0,255}$/,
    'expected the name of an environment variable: at most 256 letters, digits and underscores, no digit first',
  ]
  return { dotenv: variable, json: key, yaml: key, properties: key }
})()

function checkNames(format: BundleFormat, names: Record<string, unknown>, problems: string[]): Record<string, string> {
  const [pattern, expected] = namePatterns[format]
  const checked = Object.entries(names).flatMap(([object, name]) => {
    if (typeof name === 'string' && pattern.test(name)) return [[object, name] as const]
    problems.push(`names, ${quote(object)}: ${expected}`)
    return []
  })
  return Object.fromEntries(checked)
}
