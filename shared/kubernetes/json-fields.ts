/** What to keep of a JSON value: all of it, or the named fields; `*` at the end of a name stands for any rest. */
export type Fields = true | { readonly [name: string]: Fields }

/** @param isCut true if a requested field is null because it exceeds the limit */
export type OnValue = (value: unknown, isCut: boolean) => void

export interface FieldReaderOptions {
  fields: Fields
  /** Limit in bytes of JSON text to keep of one value. Fields beyond it are null. */
  limit: number
  /**
   * The name of a list in the value. Its items are passed one by one, before the value itself, which then lacks them.
   */
  items?: string
  onItem?: OnValue
  onValue: OnValue
}

interface Frame {
  fields: Exclude<Fields, true>
  /** The object or list that is being filled; undefined for the list whose items are passed one by one. */
  into: Record<string, unknown> | unknown[] | undefined
  isList: boolean
  key: string
}

/** Text up to its end that is skipped or kept unchanged. */
interface Raw {
  /** Absent if the text is skipped. */
  kept: Buffer[] | undefined
  isKey: boolean
  isCut: boolean
  depth: number
  inString: boolean
  isEscaped: boolean
}

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a]
const [openList, openObject, closeList, closeObject] = [0x5b, 0x7b, 0x5d, 0x7d]
/** Annotations and labels have the longest names: 317 characters. */
const longestKey = 1024

/**
 * Reads a stream of JSON values and keeps only the requested fields, however large the values are: one page of the API
 * server's response may contain a megabyte of annotations for each object. The text must be valid JSON.
 * @returns a function that takes the next bytes of the stream
 */
export function readFields({ fields, limit, items, onItem, onValue }: FieldReaderOptions): (chunk: Buffer) => void {
  const stack: Frame[] = []
  let raw: Raw | undefined
  let kept = 0
  let isCut = false

  /** What to keep of the value that begins now; undefined if nothing. */
  function wanted(): Fields | undefined {
    const frame = stack.at(-1)
    if (frame === undefined) return fields
    return frame.isList ? frame.fields : selected(frame.fields, frame.key)
  }

  function give(value: unknown): void {
    const frame = stack.at(-1)
    if (frame === undefined || frame.into === undefined) {
      if (frame === undefined) onValue(value, isCut)
      else onItem?.(value, isCut)
      kept = 0
      isCut = false
    } else if (Array.isArray(frame.into)) frame.into.push(value)
    else Object.defineProperty(frame.into, frame.key, { value, writable: true, enumerable: true, configurable: true })
  }

  function begin(byte: number): void {
    const want = wanted()
    const isContainer = byte === openObject || byte === openList
    if (isContainer && want !== undefined && want !== true) {
      const isList = byte === openList
      const isItems = isList && stack.length === 1 && stack[0]?.key === items
      stack.push({ fields: want, into: isItems ? undefined : isList ? [] : {}, isList, key: '' })
    } else
      raw = {
        kept: want === true ? [] : undefined,
        isKey: false,
        isCut: false,
        depth: 0,
        inString: false,
        isEscaped: false,
      }
  }

  function end(): void {
    const { into } = stack.pop() ?? {}
    if (into !== undefined) give(into)
  }

  function keep(one: Raw, part: Buffer): void {
    if (one.kept === undefined) return
    kept += part.length
    if (kept <= (one.isKey ? Infinity : limit) && !(one.isKey && sizeOf(one.kept) + part.length > longestKey)) {
      // A copy, because a view would keep the whole chunk in memory.
      one.kept.push(Buffer.from(part))
      return
    }
    kept -= sizeOf(one.kept) + part.length
    one.kept = undefined
    one.isCut = true
  }

  function finish({ kept: parts, isKey, isCut: cut }: Raw): void {
    raw = undefined
    const value = parts === undefined ? null : parse(Buffer.concat(parts))
    const frame = stack.at(-1)
    if (isKey) {
      if (parts) kept -= sizeOf(parts)
      if (frame) frame.key = typeof value === 'string' ? value : ''
    } else if (parts !== undefined || cut) {
      isCut ||= cut
      give(value)
    }
  }

  /** The position of the next backslash in the chunk, as far as it was searched. */
  let escape = -1

  /** Returns the end of the part of a string without an escape, which is found much faster than byte by byte. */
  function endOfPlain(chunk: Buffer, from: number): number {
    if (escape < from) escape = endAt(chunk.indexOf(backslash, from), chunk)
    return Math.min(escape, endAt(chunk.indexOf(quote, from), chunk))
  }

  /** @returns the position where the following text begins */
  function consume(one: Raw, chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (one.inString) {
        if (!one.isEscaped) at = endOfPlain(chunk, at)
        if (at === chunk.length) break
        if (one.isEscaped) one.isEscaped = false
        else if (chunk[at] === backslash) one.isEscaped = true
        else {
          one.inString = false
          if (one.depth === 0) return done(at + 1)
        }
      } else if (byte === quote) one.inString = true
      else if (byte === openObject || byte === openList) one.depth++
      else if (byte === closeObject || byte === closeList) {
        if (one.depth === 0) return done(at)
        if (--one.depth === 0) return done(at + 1)
      } else if (one.depth === 0 && (byte === comma || isSpace(byte))) return done(at)
    }
    keep(one, chunk.subarray(from))
    return chunk.length

    function done(to: number): number {
      keep(one, chunk.subarray(from, to))
      finish(one)
      return to
    }
  }

  let expectsKey = false
  return (chunk) => {
    escape = -1
    for (let at = 0; at < chunk.length;) {
      if (raw !== undefined) {
        at = consume(raw, chunk, at)
        continue
      }
      const byte = chunk[at] ?? 0
      const frame = stack.at(-1)
      if (isSpace(byte)) at++
      else if (byte === comma || byte === colon) {
        expectsKey = byte === comma && frame !== undefined && !frame.isList
        at++
      } else if (byte === closeObject || byte === closeList) {
        end()
        expectsKey = false
        at++
      } else if (expectsKey) {
        expectsKey = false
        raw = { kept: [], isKey: true, isCut: false, depth: 0, inString: false, isEscaped: false }
      } else {
        begin(byte)
        if (raw === undefined) {
          expectsKey = byte === openObject
          at++
        }
      }
    }
  }
}

function parse(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch {
    // The engine's message repeats part of the text, which may belong to a Secret.
    throw new Error('the answer is not valid JSON')
  }
}

const endAt = (found: number, { length }: Buffer): number => (found === -1 ? length : found)
const sizeOf = (parts: readonly Buffer[]): number => parts.reduce((sum, { length }) => sum + length, 0)
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

function selected(fields: Exclude<Fields, true>, name: string): Fields | undefined {
  if (Object.hasOwn(fields, name)) return fields[name]
  const pattern = Object.keys(fields).find((key) => key.endsWith('*') && name.startsWith(key.slice(0, -1)))
  return pattern === undefined ? undefined : fields[pattern]
}
