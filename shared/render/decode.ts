import type { ObjectSpec } from '../objects/spec.ts'
import { reasonOf, RenderFailure } from './rendered.ts'

/**
 * Returns the bytes that a secret's value encodes. A value that is not in the encoding is a {@link RenderFailure} that
 * says what is wrong and never contains the value: `Buffer.from` alone would skip invalid characters.
 */
export function decodeSecret(value: string, encoding: ObjectSpec['encoding']): Uint8Array {
  if (encoding === 'utf-8') return Buffer.from(value)
  try {
    return encoding === 'base64' ? decodeBase64(value) : decodeHex(value)
  } catch (cause) {
    throw new RenderFailure(`${reasonOf(cause)}; store it as ${encoding}, or leave encoding out`)
  }
}

/** Reads base64 of the standard alphabet with padding; line breaks are ignored, as Go's decoder does for the CSI provider. */
export function decodeBase64(value: string): Buffer {
  const text = value.replace(/[\r\n]/g, '')
  const digits = text.replace(/={1,2}$/, '')
  const wrong = /[^A-Za-z0-9+/]/.exec(digits)
  if (wrong !== null) throw new RenderFailure(`the value is not base64: ${base64Intruder(wrong)}`)
  if (text.length % 4 !== 0) {
    throw new RenderFailure(`the value is not base64: ${text.length} characters with padding are not a multiple of 4`)
  }
  return Buffer.from(digits, 'base64')
}

function base64Intruder({ 0: character, index }: RegExpExecArray): string {
  const place = `character ${index + 1}, line breaks aside,`
  if (character === '=') return `${place} is padding before the end`
  if (character === '-' || character === '_') return `${place} is of the URL alphabet; the standard one is expected`
  return `${place} is not of its alphabet`
}

/** Reads pairs of hexadecimal digits. */
export function decodeHex(value: string): Buffer {
  const wrong = /[^0-9a-fA-F]/.exec(value)
  if (wrong !== null) throw new RenderFailure(`the value is not hex: character ${wrong.index + 1} is not a digit of it`)
  if (value.length % 2 !== 0)
    throw new RenderFailure(`the value is not hex: it has an odd number (${value.length}) of digits`)
  return Buffer.from(value, 'hex')
}
