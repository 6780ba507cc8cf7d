import { Composer, CST, type Document, isScalar, Lexer, Parser, visit } from 'yaml'
import { fail, ok, type Result } from './result.ts'
import { finish, type Steps } from './steps.ts'

/**
 * What a YAML text may be made of. It is a tenant's, read while every other review waits, so its cost is bounded before it is parsed
 * and grows in proportion to it. Five hundred objects of three fields fit.
 */
export const yamlBounds = {
  /** UTF-16 units of a text. */
  characters: 64 * 1024,
  /** Indicators, scalars, spaces and line ends, as the lexer of the library counts them, and the lines inside of scalars. */
  parts: 12_000,
  /** Collections inside of each other. */
  depth: 16,
  aliases: 100,
} as const

/** A text that is not read any further; the message is a problem for a user. */
class Refusal extends Error {}

/** What may still be read of texts that belong together. */
export class YamlEffort {
  #parts: number = yamlBounds.parts
  #aliases: number = yamlBounds.aliases

  /** Counts a lexeme. @throws {@link Refusal} for one too many */
  spend(lexeme: string): void {
    const { parts, aliases } = yamlBounds
    this.#parts -= 1 + linesIn(lexeme)
    if (this.#parts < 0) throw new Refusal(`the text has more than ${parts} words, signs and lines: split it`)
    if (CST.tokenType(lexeme) === 'alias' && --this.#aliases < 0)
      throw new Refusal(`the text has more than ${aliases} aliases: write the values out`)
  }
}

/**
 * Reads YAML whose scalars all are texts (the failsafe schema), so that `0755` and versions of digits only stay what they are. Plain
 * `null`, `~` and nothing are null; in quotes they are texts. Keys are texts, each once in its map. Only the first problem is found.
 * @param effort of several texts together, such as those inside of another one
 */
export const readYaml = (text: string, effort = new YamlEffort()): Result<unknown> => finish(yamlSteps(text, effort))

/**
 * {@link readYaml} in steps.
 * @param plain what a scalar without quotes means, if it is not null
 */
export function* yamlSteps(
  text: string,
  effort: YamlEffort,
  plain?: (text: string) => unknown,
): Steps<Result<unknown>> {
  const { characters } = yamlBounds
  if (text.length > characters) {
    return fail(`the text has ${text.length} characters, and at most ${characters} are read: split it`)
  }
  const flat = plain === undefined ? flatMap(text) : undefined
  if (flat !== undefined) return ok(flat)
  try {
    const tokens = yield* tokensOf(text, effort)
    const document = composed(tokens, text.length)
    yield
    checkNodes(document, plain)
    // Aliases are counted already, and one of a collection is that collection, not a copy of it.
    return ok(document.toJS({ maxAliasCount: -1 }))
  } catch (cause) {
    const { message } = cause as Error
    return fail(cause instanceof Refusal ? message : `not valid YAML: ${message}`)
  }
}

/** A letter or digit, and what has no meaning to YAML behind one. */
const flatLine = /^([A-Za-z]+): ([A-Za-z0-9][A-Za-z0-9._/-]*)$/

/**
 * A map of single words, a line each, which most texts inside of a class are: a class has hundreds, and the library takes ten times
 * as long for each. Undefined for any other text.
 */
function flatMap(text: string): Record<string, string> | undefined {
  if (text.length > 1_000) return undefined
  const map = new Map<string, string>()
  for (const line of text.trimEnd().split('\n')) {
    const [, key, value] = flatLine.exec(line) ?? []
    if (key === undefined || value === undefined || map.has(key) || /^null$/i.test(value)) return undefined
    map.set(key, value)
  }
  return Object.fromEntries(map)
}

/** Lexemes that are read in one step. */
const portion = 1_500

/** The parts of a text, counted before any is parsed, which costs several times as much. */
function* lexemesOf(text: string, effort: YamlEffort): Steps<string[]> {
  const lexemes: string[] = []
  for (const lexeme of new Lexer().lex(text)) {
    effort.spend(lexeme)
    if (lexemes.push(lexeme) % portion === 0) yield
  }
  return lexemes
}

/** The tokens of a text, up to the first that is wrong. */
function* tokensOf(text: string, effort: YamlEffort): Steps<CST.Token[]> {
  const tokens: CST.Token[] = []
  const parser = new Parser()
  const { depth } = yamlBounds
  for (const [index, lexeme] of (yield* lexemesOf(text, effort)).entries()) {
    if (index % portion === 0) yield
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') throw new Error(token.message)
      tokens.push(token)
    }
    // A collection in a map takes two places, its key's and its own.
    if (parser.stack.length > 2 * depth) throw new Refusal(`the text nests deeper than ${depth} levels`)
  }
  yield
  return [...tokens, ...parser.end()]
}

function linesIn(lexeme: string): number {
  let lines = 0
  for (let end = lexeme.indexOf('\n'); end >= 0 && end < lexeme.length - 1; end = lexeme.indexOf('\n', end + 1)) lines++
  return lines
}

/** The only document of a stream. */
function composed(tokens: Iterable<CST.Token>, length: number): Document {
  const composer = new Composer({ schema: 'failsafe', logLevel: 'error', uniqueKeys: false })
  // The library would go on and collect thousands of errors, each with a stack.
  Reflect.set(composer, 'onError', (_source: unknown, _code: string, message: string, isWarning?: boolean) => {
    if (!isWarning) throw new Error(message)
  })
  let found: Document | undefined
  for (const document of composer.compose(tokens, true, length)) {
    if (found !== undefined) throw new Error('Source contains multiple documents; one is expected')
    found = document
  }
  const [error] = found?.errors ?? []
  if (found === undefined || error !== undefined) throw new Error(error?.message)
  return found
}

/** Makes null of what is null, and refuses keys that are not texts or stand twice in their map, which the library looks up in pairs. */
function checkNodes(document: Document, plain: (text: string) => unknown = (text) => text): void {
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || node.type !== 'PLAIN') return
      const text = String(node.value)
      node.value = /^(|~|null)$/i.test(text) ? null : plain(text)
    },
    Map(_key, { items }) {
      const keys = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) throw new Error('Map keys must be texts')
        if (keys.has(key.value)) throw new Error('Map keys must be unique')
        keys.add(key.value)
      }
    },
  })
}
