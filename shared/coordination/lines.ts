import { fail, ok, type Result } from '../result.ts'

const lineFeed = 10

/**
 * Splits a stream of bytes into lines, whichever way they are cut into chunks. The returned function takes a chunk and returns
 * the lines that it completes, without their line feeds; it fails, now and from then on, if a line has more than `longest` bytes.
 */
export function createLineReader(longest: number): (chunk: Uint8Array) => Result<string[]> {
  let rest: Uint8Array[] = []
  let bytes = 0
  let isTooLong = false

  const add = (part: Uint8Array): void => {
    bytes += part.length
    isTooLong ||= bytes > longest
    // A copy, because a few bytes would keep the whole chunk in memory.
    if (!isTooLong && part.length > 0) rest.push(Uint8Array.from(part))
  }
  const complete = (): string => {
    const line = Buffer.concat(rest).toString()
    rest = []
    bytes = 0
    return line
  }

  return (chunk) => {
    const lines: string[] = []
    for (let from = 0; from <= chunk.length && !isTooLong;) {
      const end = chunk.indexOf(lineFeed, from)
      add(chunk.subarray(from, end === -1 ? chunk.length : end))
      if (end === -1 || isTooLong) break
      lines.push(complete())
      from = end + 1
    }
    return isTooLong ? fail(`a line has more than ${longest} bytes`) : ok(lines)
  }
}
