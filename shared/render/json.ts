import { RenderFailure } from './rendered.ts'

/** Limit in UTF-16 units of a JSON text; a vault's secret has at most 25 KiB. */
export const mostCharacters = 64 * 1024
/** Limit of lists and maps nested in each other. */
export const deepest = 100

/** TypeScript does not know the source text access of JSON yet. {@link https://tc39.es/proposal-json-parse-with-source/} */
const sourceAccess = JSON as unknown as {
  rawJSON: (text: string) => unknown
  parse: (text: string, reviver: (key: string, value: unknown, context: { source: string }) => unknown) => unknown
}

/** Whether JavaScript would print a number differently: `12345678901234567890`, `1.10`. */
export class WrittenNumber {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }

  valueOf(): number {
    return Number(this.#text)
  }

  toJSON(): unknown {
    return sourceAccess.rawJSON(this.#text)
  }
}

/** A number that is printed with the digits that it was read with. */
export const writtenNumber = (text: string): number | WrittenNumber =>
  String(Number(text)) === text ? Number(text) : new WrittenNumber(text)

/**
 * Parses JSON and keeps the digits of its numbers. Returns undefined if the text is not JSON.
 * @throws {@link RenderFailure} for a text that is longer or nested more deeply than the limits
 */
export function readJson(text: string): { value: unknown } | undefined {
  if (text.length > mostCharacters)
    throw new RenderFailure(`it has ${text.length} characters, and at most ${mostCharacters} are read as JSON or YAML`)
  const json = text.replace(/^\ufeff/, '')
  try {
    JSON.parse(json)
  } catch {
    return undefined
  }
  if (depthOf(json) > deepest) throw new RenderFailure(`its JSON nests deeper than ${deepest} levels`)
  const value = sourceAccess.parse(json, (_key, value, { source }) =>
    typeof value === 'number' ? writtenNumber(source) : value,
  )
  return { value }
}

/** Returns how deeply a valid JSON text is nested. */
function depthOf(json: string): number {
  let [depth, most] = [0, 0]
  for (const [sign] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[{}\]]/g)) {
    if (sign === '[' || sign === '{') most = Math.max(most, ++depth)
    else if (sign === ']' || sign === '}') depth--
  }
  return most
}
