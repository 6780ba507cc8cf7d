import { stringify } from 'yaml'
import { escapeUnicode } from '../printable.ts'
import { replaceUnits } from './turns.ts'

/**
 * Prints a map of strings like JSON, with a line for each. Everything is in double quotes, so that no reader, of YAML
 * 1.1 or 1.2, takes `on`, `0755` or `1e3` for anything but text. Characters that YAML calls not printable, and the line
 * breaks that only 1.1 knows, are escaped. This module loads the YAML library: import it lazily.
 */
export async function printYaml(entries: ReadonlyMap<string, string>): Promise<string> {
  const text = stringify(Object.fromEntries(entries), {
    defaultStringType: 'QUOTE_DOUBLE',
    doubleQuotedAsJSON: true,
    lineWidth: 0,
  })
  return replaceUnits(text, /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, escapeUnicode)
}
