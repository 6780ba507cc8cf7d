import { fail, ok, type Result } from '../result.ts'

/** Parses encoded settings as JSON, without checking their content. */
export function parseSettings(encoded: string): Result<unknown> {
  try {
    return ok(JSON.parse(Buffer.from(encoded, 'base64url').toString()))
  } catch {
    return fail('the settings are not base64url of JSON')
  }
}
