import { LiquidError, toPromise, UndefinedVariableError, type Emitter, type Liquid, type Token } from 'liquidjs'
import {
  parseTemplate,
  templateEngine,
  templateNames,
  type Meanings,
  type TemplateFilters,
  type TemplateObject,
} from '../../shared/template.ts'
import { inOrder, printCertificates, printPrivateKey, readPem } from './certificates.ts'
import { decodeBase64 } from './decode.ts'
import { maxOutput, RenderFailure } from './rendered.ts'
import { textOf, type Files } from './contents.ts'
import { turnsAfter } from './turns.ts'

/**
 * Renders a LiquidJS template. Files that are not there (an optional object's) are undefined to it.
 * This module loads LiquidJS: import it where it is needed.
 * @param files the pod's files by path, as {@link templateNames} leads to them
 * @throws {@link RenderFailure} with the line; never with a value, which LiquidJS' own messages may hold
 */
export async function renderTemplate(
  text: string,
  objects: readonly TemplateObject[],
  files: Files,
): Promise<Uint8Array> {
  const engine = inTurns(templateEngine(filters))
  const parsed = parseTemplate(engine, text, objects)
  if (!parsed.ok) throw new RenderFailure(parsed.problems.join('; '))
  let output: string
  try {
    output = (await engine.render(parsed.value, scopeOf(objects, files))) as string
  } catch (error) {
    throw new RenderFailure(explain(error, text))
  }
  checkLength(output)
  return Buffer.from(output)
}

function checkLength({ length }: string): void {
  if (length > maxOutput) throw new RenderFailure(`it gives ${length} characters or more, and ${maxOutput} may be`)
}

/** Lets everything else go on between tags, rounds of a loop and filters, and ends where the output is too long. */
function inTurns(engine: Liquid): Liquid {
  const turn = turnsAfter(10)
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
    const inTurn: typeof handler = function (this: ThisParameterType<typeof handler>, ...given) {
      const due = turn()
      if (due === undefined) return handler.apply(this, given) as unknown
      return due.then(() => toPromise(handler.apply(this, given) as Promise<unknown>))
    }
    filters[name] = raw ? { ...filter, handler: inTurn } : inTurn
  }
  return engine
}

/** A content that is not text. It may be passed through `b64enc`; wherever else it is used, that fails. */
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

function scopeOf(objects: readonly TemplateObject[], files: Files): Record<string, unknown> {
  const { bare, ...namespaces } = templateNames(objects)
  const contents = (meanings: Meanings): Record<string, unknown> => {
    const entries = [...meanings].flatMap(([name, [path = '', ...others]]) => {
      const file = files.get(path)
      return file === undefined || others.length > 0 ? [] : [[name, textOrBinary(`"${path}"`, file.content)] as const]
    })
    return Object.fromEntries(entries)
  }
  const spaces = Object.entries(namespaces).map(([name, meanings]) => [name, contents(meanings)] as const)
  return { ...contents(bare), ...Object.fromEntries(spaces) }
}

const textOrBinary = (name: string, bytes: Uint8Array): string | Binary => textOf(bytes) ?? new Binary(name, bytes)

const filters: TemplateFilters = {
  b64enc: (value) => Buffer.from(value instanceof Binary ? value.bytes : String(value)).toString('base64'),
  b64dec: (value) => textOrBinary('what b64dec decodes', decodeBase64(String(value))),
  pem_cert: async (value) => {
    const certified = readPem(String(value))
    if (certified.certificates.length === 0) throw new RenderFailure('pem_cert is given no certificate in PEM')
    return printCertificates(await inOrder(certified))
  },
  pem_key: (value) => {
    const { key } = readPem(String(value))
    if (key === undefined) throw new RenderFailure('pem_key is given no private key in PEM')
    return printPrivateKey(key)
  },
}

/**
 * Where and why. Only the template's own text is quoted: LiquidJS names an undefined variable by what its brackets evaluate to,
 * and filters such as `where_exp` read expressions out of values.
 */
function explain(error: unknown, template: string): string {
  let deepest = error as Error
  let token: Token | undefined
  while (LiquidError.is(deepest)) {
    if (deepest.token.input === template) token = deepest.token
    if (deepest.originalError === undefined || deepest instanceof UndefinedVariableError) break
    deepest = deepest.originalError
  }
  if (token === undefined)
    return `it cannot be rendered, because an expression that a filter reads fails (${deepest.name})`
  return `line ${token.getPosition()[0]}: ${describe(deepest, token.getText())}`
}

function describe(error: Error, text: string): string {
  if (error instanceof RenderFailure) return error.message
  if (error instanceof UndefinedVariableError) {
    return `${text} has no value: its object is not there, or has no such property`
  }
  const limit = /^(parse length|template render|memory alloc) limit exceeded$/.exec(error.message)
  if (limit) return `the ${limit[1]} limit is exceeded`
  return `${text} cannot be rendered (${error.name})`
}
