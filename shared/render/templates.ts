import { LiquidError, UndefinedVariableError, type Emitter, type Liquid, type Token } from 'liquidjs'
import {
  parseTemplate,
  createTemplateEngine,
  templateNames,
  type Meanings,
  type TemplateFilters,
  type TemplateObject,
} from './template.ts'
import { inOrder, printCertificates, printPrivateKey, readPem } from './certificates.ts'
import { decodeBase64 } from './decode.ts'
import { readJson } from './json.ts'
import { boundContains, checkFilter } from './filter-bounds.ts'
import { maxOutput, RenderFailure } from './rendered.ts'
import { textOf, type Files } from './contents.ts'
import { membersIn, noGroups, type Groups } from './groups.ts'
import { escapeProperty, percentEncode, shellQuote } from './escapes.ts'
import { createTurns } from './turns.ts'

/**
 * Renders a LiquidJS template. Files that do not exist (of optional objects) are undefined in it. This module loads
 * LiquidJS: import it lazily.
 * @param files the pod's files by path, which {@link templateNames} returns for names
 * @param groups what finds selected: `groups.name` is a list of `{ name, path, value }`
 * @throws {@link RenderFailure} with the line; never with a value, which LiquidJS' own messages may contain
 */
export async function renderTemplate(
  text: string,
  objects: readonly TemplateObject[],
  files: Files,
  groups: Groups = noGroups,
): Promise<Uint8Array> {
  const engine = inTurns(createTemplateEngine(filters))
  const parsed = parseTemplate(engine, text, objects, groups.groups)
  if (!parsed.ok) throw new RenderFailure(parsed.problems.join('; '))
  let output: string
  try {
    output = (await engine.render(parsed.value, scopeOf(objects, files, groups))) as string
  } catch (error) {
    throw new RenderFailure(explain(error, text))
  }
  checkLength(output)
  return Buffer.from(output)
}

function checkLength({ length }: string): void {
  if (length > maxOutput) throw new RenderFailure(`it gives ${length} characters or more, and ${maxOutput} may be`)
}

/** Yields to other work between tags, loop iterations and filters, and stops if the output is too long. */
function inTurns(engine: Liquid): Liquid {
  const turn = createTurns(10)
  boundContains(engine)
  const { renderer, filters } = engine
  const renderTemplates = renderer.renderTemplates.bind(renderer)
  renderer.renderTemplates = function* (templates, context, emitter) {
    yield turn()
    checkLength((emitter as (Emitter & { buffer?: string }) | undefined)?.buffer ?? '')
    return (yield renderTemplates(templates, context, emitter)) as unknown
  }
  for (const [name, filter] of Object.entries(filters)) {
    const raw = typeof filter === 'object'
    const handler = raw ? filter.handler : filter
    const inTurn: typeof handler = function* (this: ThisParameterType<typeof handler>, ...given) {
      checkFilter(name, given)
      yield turn()
      const result: unknown = handler.apply(this, given)
      return isIterator(result) ? yield* inSteps(result, turn) : ((yield result) as unknown)
    }
    filters[name] = raw ? { ...filter, handler: inTurn } : inTurn
  }
  return engine
}

type Iteration = Iterator<unknown, unknown, unknown>

const isIterator = (value: unknown): value is Iteration =>
  typeof (value as Partial<Iteration> | null | undefined)?.next === 'function'

/** Yields to other work between the steps of a filter, which may evaluate an expression for each item of a list. */
function* inSteps(steps: Iteration, turn: () => Promise<void> | undefined): Generator<unknown, unknown, unknown> {
  let sent: unknown
  for (;;) {
    const step = steps.next(sent)
    if (step.done === true) return step.value
    yield turn()
    sent = yield step.value
  }
}

/** A content that is not text. It may be passed to `b64enc`; any other use is a failure. */
class Binary {
  readonly #name: string
  readonly bytes: Uint8Array

  constructor(name: string, bytes: Uint8Array) {
    this.#name = name
    this.bytes = bytes
  }

  toString(): string {
    throw new RenderFailure(`${this.#name} is not UTF-8 text; pass it through the filter b64enc`)
  }

  toJSON(): string {
    return this.toString()
  }
}

function scopeOf(objects: readonly TemplateObject[], files: Files, groups: Groups): Record<string, unknown> {
  const { bare, ...namespaces } = templateNames(objects)
  const contents = (meanings: Meanings): Record<string, unknown> => {
    const entries = [...meanings].flatMap(([name, [path = '', ...others]]) => {
      const file = files.get(path)
      return file === undefined || others.length > 0 ? [] : [[name, textOrBinary(`"${path}"`, file.content)] as const]
    })
    return Object.fromEntries(entries)
  }
  const spaces = Object.entries(namespaces).map(([name, meanings]) => [name, contents(meanings)] as const)
  return { ...contents(bare), ...Object.fromEntries(spaces), groups: contentsOf(groups, files) }
}

/** Matches that are not there yet (one that cannot be read) are left out. */
const contentsOf = (groups: Groups, files: Files) =>
  Object.fromEntries(
    groups.groups.map((group) => {
      const items = membersIn(groups, (one) => one === group).flatMap(({ name, path }) => {
        const file = files.get(path)
        return file === undefined ? [] : [{ name, path, value: textOrBinary(`"${path}"`, file.content) }]
      })
      return [group, items] as const
    }),
  )

const textOrBinary = (name: string, bytes: Uint8Array): string | Binary => textOf(bytes) ?? new Binary(name, bytes)

const filters: TemplateFilters = {
  b64enc: (value) => Buffer.from(value instanceof Binary ? value.bytes : String(value)).toString('base64'),
  b64dec: (value) => textOrBinary('what b64dec decodes', decodeBase64(String(value))),
  pem_cert: async (value) => {
    const certified = readPem(String(value))
    if (certified.certificates.length === 0) throw new RenderFailure('pem_cert is given no certificate in PEM')
    return printCertificates(await inOrder(certified))
  },
  pem_ca: async (value) => {
    const authorities = (await inOrder(readPem(String(value)))).slice(1)
    if (authorities.length === 0) throw new RenderFailure('pem_ca is given no certificate in PEM beside the leaf')
    return printCertificates(authorities)
  },
  pem_key: (value) => {
    const { key } = readPem(String(value))
    if (key === undefined) throw new RenderFailure('pem_key is given no private key in PEM')
    return printPrivateKey(key)
  },
  parse_json: (value) => {
    const json = readJson(String(value))
    if (json === undefined) throw new RenderFailure('parse_json is given a text that is not JSON')
    return json.value
  },
  percent_encode: (value) => percentEncode(String(value)),
  shell_quote: (value) => shellQuote(String(value)),
  properties_escape: (value) => escapeProperty(String(value)),
}

/**
 * Returns where and why rendering failed. Only the template's own text is quoted: LiquidJS names an undefined variable
 * by the value in its brackets, and filters such as `where_exp` read expressions from values.
 */
function explain(error: unknown, template: string): string {
  let deepest = error as Error
  let token: Token | undefined
  while (LiquidError.is(deepest)) {
    if (deepest.token.input === template) token = deepest.token
    if (deepest.originalError === undefined || deepest instanceof UndefinedVariableError) break
    deepest = deepest.originalError
  }
  const limit = /^(parse length|template render|memory alloc) limit exceeded$/.exec(deepest.message)
  if (limit) return `${place(token)}the ${limit[1]} limit is exceeded`
  if (token === undefined)
    return `it cannot be rendered, because an expression that a filter reads fails (${deepest.name})`
  return `${place(token)}${describe(deepest, token.getText())}`
}

const place = (token: Token | undefined): string => (token ? `line ${token.getPosition()[0]}: ` : '')

function describe(error: Error, text: string): string {
  if (error instanceof RenderFailure) return error.message
  if (error instanceof UndefinedVariableError) {
    return `${text} has no value: its object is not there, or has no such property`
  }
  return `${text} cannot be rendered (${error.name})`
}
