import { isSettings } from '../shared/is-settings.ts'
import type { Parsed } from '../shared/parsed.ts'
import { checkRules, parseSettings } from '../shared/settings-rules.ts'
import type { Settings } from '../shared/settings.ts'

/** Reads the webhook's settings and checks all of them again; the schema, 5 MB in memory, is loaded only to say what is wrong. */
export async function readSettings(encoded: string): Promise<Parsed<Settings>> {
  const parsed = parseSettings(encoded)
  if (parsed.ok && isSettings(parsed.value)) return checkRules(parsed.value)
  const { decodeSettings } = await import('../shared/settings.ts')
  return decodeSettings(encoded)
}
