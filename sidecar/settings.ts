import { isSettings } from '../shared/settings/is-settings.ts'
import type { Result } from '../shared/result.ts'
import { parseSettings } from '../shared/settings/parse.ts'
import { checkRules } from '../shared/settings/rules.ts'
import type { Settings } from '../shared/settings/codec.ts'

/** Reads the webhook's settings and checks all of them again; the schema, 5 MB in memory, is loaded only to say what is wrong. */
export async function readSettings(encoded: string): Promise<Result<Settings>> {
  const parsed = parseSettings(encoded)
  if (parsed.ok && isSettings(parsed.value)) return checkRules(parsed.value)
  const { decodeSettings } = await import('../shared/settings/codec.ts')
  return decodeSettings(encoded)
}
