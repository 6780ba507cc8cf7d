import { Errors } from 'typebox/value'
import { isSettings } from './is-settings.ts'
import { fail, type Result } from '../result.ts'
import { parseSettings } from './parse.ts'
import { checkRules } from './rules.ts'
import { Settings } from './schema.ts'

export { plannedFiles } from './rules.ts'
export type { Identity, Settings, SignalTarget } from './schema.ts'

/** Size limit in bytes, so that the environment of a process has space for the rest; at 140 kB, no container starts. */
export const maxEncodedSettings = 96 * 1024

/** Encodes as base64url, so that the kubelet finds no `$(...)` to expand. */
export const encodeSettings = (settings: Settings): string =>
  Buffer.from(JSON.stringify(settings)).toString('base64url')

/** Decodes the result of {@link encodeSettings} and checks it completely. */
export function decodeSettings(encoded: string): Result<Settings> {
  // In a copied pod, the author may have written anything.
  if (encoded.length > maxEncodedSettings) return fail(`the settings are larger than ${maxEncodedSettings} bytes`)
  const parsed = parseSettings(encoded)
  return parsed.ok ? checkSettings(parsed.value) : parsed
}

/** Returns every problem with its location: first of the schema, then of paths, references and conflicting files. */
export function checkSettings(value: unknown): Result<Settings> {
  if (isSettings(value)) return checkRules(value)
  return fail(
    ...Errors(Settings, value).map(({ instancePath, message }) => `${instancePath || 'settings'}: ${message}`),
  )
}
