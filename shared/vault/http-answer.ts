import { printable } from '../printable.ts'

/** An HTTP response as it came over the wire, kept in addition to the SDK's view of it. */
export interface Answer {
  status: number
  header: (name: string) => string | undefined
  text: string
}

/** Thrown by {@link readBody}. */
export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge'
}

/** A page of 25 items is about 10 kB, a secret at most 25 KiB, a certificate with its policy less than 20 kB. */
export const bodyLimit = 1024 * 1024

/** Reads a body as UTF-8. @throws {@link BodyTooLarge} for more than `limit` bytes, which also ends the connection */
export async function readBody(stream: AsyncIterable<unknown>, limit = bodyLimit): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > limit) throw new BodyTooLarge(`more than ${limit} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

/** The content of an error body; every field is absent if the body does not have the shape that Key Vault and Entra ID use. */
export interface ServiceError {
  code?: string
  /** The innermost of `error.innererror.code`. */
  inner?: string
  /** The service's message: one line, bounded. */
  words?: string
}

/** Reads `{"error": {"code", "message", "innererror"}}`, `{"error", "error_description"}` and plain text; never throws. */
export function serviceError({ text, header }: Pick<Answer, 'text' | 'header'>): ServiceError {
  const body = parseJson(text)
  if (!isObject(body)) return looksLikeText(text, header('content-type')) ? wordsOf(text) : {}
  const { error } = body
  if (!isObject(error)) return { ...codeOf(error), ...wordsOf(body['error_description'] ?? body['message'] ?? error) }
  const inner = innermost(error)
  return { ...codeOf(error['code']), ...(inner !== undefined && { inner }), ...wordsOf(error['message']) }
}

function innermost(error: Record<string, unknown>): string | undefined {
  let found: string | undefined
  let next = error['innererror']
  // Bounded, because the other side controls the body.
  for (let depth = 0; isObject(next) && depth < 8; depth++) {
    if (typeof next['code'] === 'string' && next['code'] !== '') found = next['code']
    next = next['innererror']
  }
  return found?.slice(0, 100)
}

const codeOf = (code: unknown): ServiceError =>
  typeof code === 'string' && /^[\w.-]{1,100}$/.test(code) ? { code } : {}

/** The first line: Key Vault adds the caller's claims on further lines, Entra ID its trace IDs after a space or a line break. */
function wordsOf(text: unknown): ServiceError {
  if (typeof text !== 'string') return {}
  const line = text.trim().split(/[\r\n]|\s+Trace ID:/, 1)[0] ?? ''
  if (line === '') return {}
  return { words: printable(line.length > 300 ? `${line.slice(0, 300)}...` : line) }
}

const looksLikeText = (text: string, type = '') => !/html/i.test(type) && !text.trimStart().startsWith('<')

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The longest `Retry-After` that is respected. */
export const longestRetryAfterMs = 15 * 60_000

/**
 * How long a response asks to wait, in milliseconds: `Retry-After` in seconds or as an HTTP date (RFC 9110, 10.2.3). A date is
 * compared with the response's own `Date`, so that a wrong local clock does not matter, else with `now`. At most 15 minutes.
 */
export function retryAfterOf(answer: Pick<Answer, 'header'>, now: number): number | undefined {
  const requested = retryAfterHeader(answer, now)
  return requested === undefined ? undefined : Math.min(requested, longestRetryAfterMs)
}

function retryAfterHeader({ header }: Pick<Answer, 'header'>, now: number): number | undefined {
  const value = header('retry-after')?.trim()
  if (!value) return undefined
  if (/^\d+(\.\d+)?$/.test(value)) return Math.round(Number(value) * 1000)
  const until = parseDate(value)
  return until === undefined ? undefined : Math.max(0, until - (dateOf({ header }) ?? now))
}

/** The server's clock, in milliseconds since 1970. */
export const dateOf = ({ header }: Pick<Answer, 'header'>): number | undefined => parseDate(header('date') ?? '')

/** An HTTP date begins with a weekday; `Date.parse` alone accepts `-3` as a date. */
function parseDate(text: string): number | undefined {
  const date = /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(date) ? undefined : date
}
