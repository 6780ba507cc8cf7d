import { Errors } from 'typebox/value'
import { isSettings } from './is-settings.ts'
import { fail, type Parsed } from './parsed.ts'
import { checkRules, parseSettings } from './settings-rules.ts'
import { Settings } from './settings-schema.ts'

export { plannedFiles } from './settings-rules.ts'
export type { Identity, Settings, SignalTarget } from './settings-schema.ts'

/** More does not fit into a process's environment beside everything else; at 140 kB no container starts. */
export const maxEncodedSettings = 96 * 1024

/** Base64url, so that the kubelet's expansion of `$(...)` finds nothing to expand. */
export const encodeSettings = (settings: Settings): string =>
  Buffer.from(JSON.stringify(settings)).toString('base64url')

/** Reads what {@link encodeSettings} wrote and checks all of it again. */
export function decodeSettings(encoded: string): Parsed<Settings> {
  // A copied pod holds what its author wrote.
  if (encoded.length > maxEncodedSettings) return fail('the settings are larger than any that are written')
  const parsed = parseSettings(encoded)
  return parsed.ok ? checkSettings(parsed.value) : parsed
}

/** Every problem with its place: the schema, then paths, references and files that clash. */
export function checkSettings(value: unknown): Parsed<Settings> {
  if (isSettings(value)) return checkRules(value)
  return fail(
    ...Errors(Settings, value).map(({ instancePath, message }) => `${instancePath || 'settings'}: ${message}`),
  )
}
