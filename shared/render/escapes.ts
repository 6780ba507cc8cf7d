import { escapeUnicode } from '../printable.ts'
import { RenderFailure } from './rendered.ts'
import { replaceUnits } from './turns.ts'

/**
 * Percent-encodes everything except unreserved characters, so that the text is data in every part of a URL: user
 * information, host, path, query and fragment. A space becomes `%20`, which form decoders accept, too.
 * {@link https://www.rfc-editor.org/rfc/rfc3986#section-2.3}
 */
export const percentEncode = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (reserved) => `%${reserved.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/**
 * Quotes a text as one word of a POSIX shell, in which nothing is expanded.
 * {@link https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02}
 * @throws {@link RenderFailure} for a NUL character, which shells drop
 */
export function shellQuote(text: string): string {
  if (text.includes('\0')) throw new RenderFailure('a NUL character cannot be part of a shell word')
  return `'${text.replaceAll("'", "'\\''")}'`
}

/**
 * Escapes a value so that `java.util.Properties` loads it from a stream (Latin-1) and from a reader: as ASCII, with
 * escapes for backslashes, control characters and a space at the beginning.
 * {@link https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)}
 */
export async function escapeProperty(value: string): Promise<string> {
  const known: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
  const escape = (character: string) => known[character] ?? escapeUnicode(character)
  const escaped = await replaceUnits(value, /[^\x20-\x5b\x5d-\x7e]/g, escape)
  return escaped.replace(/^ /, '\\ ')
}
