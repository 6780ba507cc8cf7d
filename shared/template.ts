import { Liquid, LiquidError, Token, Tokenizer, TokenKind, type Template } from 'liquidjs'
import { filesOf, type ObjectSpec } from './object-spec.ts'
import { fail, ok, type Parsed } from './parsed.ts'
import { firstSuggestions, quote, type didYouMean } from './suggest.ts'

// This module loads LiquidJS: the sidecar imports it only when there is a template.

/** What a template can see of an object. */
export type TemplateObject = Pick<ObjectSpec, 'type' | 'name' | 'path' | 'history' | 'split'>

/** Our own filters, beside those of LiquidJS (`json` is one of them). */
export type TemplateFilters = Record<'b64enc' | 'b64dec' | 'pem_cert' | 'pem_key', (value: unknown) => unknown>

/** Settings are at most 96 KiB, so no template is longer. */
const parseLimit = 96 * 1024
/** Milliseconds; an ordinary template takes less than ten, but the sidecar's share of a CPU may be small. */
const renderLimit = 3000
/** What LiquidJS counts: characters and items that it allocates, roughly. */
const memoryLimit = 4_000_000

/** Of all templates of a pod: tags and outputs, and UTF-16 units in them. What is between them costs next to nothing. */
export const templateBounds = { tags: 1_000, code: 16 * 1024 } as const

/** What may still be spent on the templates of one pod. */
export class TemplateEffort {
  #tags: number = templateBounds.tags
  #code: number = templateBounds.code

  /** Why a template is more than is read, or undefined. @throws what the library throws for a text that is no template */
  spend(engine: Liquid, text: string): string | undefined {
    const tokens = new Tokenizer(text, engine.options.operators).readTopLevelTokens(engine.options)
    const code = tokens.filter(({ kind }) => kind !== TokenKind.HTML)
    this.#tags -= code.length
    this.#code -= code.reduce((sum, token) => sum + token.size(), 0)
    if (this.#tags < 0) return `the pod's templates have more than ${templateBounds.tags} tags and outputs: split the pod's files` // prettier-ignore
    return this.#code < 0 ? `the tags and outputs of the pod's templates have more than ${templateBounds.code} characters: shorten them` : undefined // prettier-ignore
  }
}

/** Where the lines of the text begin that a position was asked for last. */
let lines: { input: string; starts: number[] } = { input: '', starts: [0] }

/** The library counts from the beginning of the text for each token, which takes time in the square of the text. */
Token.prototype.getPosition = function (this: Token): [line: number, column: number] {
  if (lines.input !== this.input) {
    const starts = [0]
    for (let end = this.input.indexOf('\n'); end >= 0; end = this.input.indexOf('\n', end + 1)) starts.push(end + 1)
    lines = { input: this.input, starts }
  }
  let [first, last] = [0, lines.starts.length - 1]
  while (first < last) {
    const middle = (first + last + 1) >> 1
    if ((lines.starts[middle] as number) <= this.begin) first = middle
    else last = middle - 1
  }
  return [first + 1, this.begin - (lines.starts[first] as number) + 1]
}

/** They read other files, which there are none of. */
const fileTags = ['include', 'render', 'layout', 'block']
/** With them a template would give other bytes, and so a notification of the app, with no change in the vault. */
const volatileFilters = ['date', 'date_to_xmlschema', 'date_to_rfc822', 'date_to_string', 'date_to_long_string', 'sample'] // prettier-ignore

/** LiquidJS as templates get it: strict about names, without files, clock and chance, within limits. Filters are needed to render only. */
export function templateEngine(filters?: TemplateFilters): Liquid {
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    // So that `if` and `default` can ask for an optional object that is not there.
    lenientIf: true,
    templates: {},
    parseLimit,
    renderLimit,
    memoryLimit,
  })
  for (const tag of fileTags) Reflect.deleteProperty(engine.tags, tag)
  for (const filter of volatileFilters) engine.unregisterFilter(filter)
  const own: (keyof TemplateFilters)[] = ['b64enc', 'b64dec', 'pem_cert', 'pem_key']
  for (const name of own) engine.registerFilter(name, filters?.[name] ?? ((value: unknown) => value))
  return engine
}

/**
 * Parses a template and checks that whatever it names exists; a problem begins with its line.
 * @param objects where they are not known, names are not checked
 * @param effort of the templates of one pod together, where there are several
 */
export function parseTemplate(
  engine: Liquid,
  text: string,
  objects?: readonly TemplateObject[],
  effort = new TemplateEffort(),
): Parsed<Template[]> {
  try {
    const tooMuch = effort.spend(engine, text)
    if (tooMuch !== undefined) return fail(tooMuch)
    const template = engine.parse(text)
    const problems = objects === undefined ? [] : nameProblems(engine, template, objects)
    return problems.length > 0 ? fail(...problems) : ok(template)
  } catch (error) {
    return fail(syntaxProblem(error))
  }
}

/** Made once, since that costs more than to read most templates. */
let plainEngine: Liquid | undefined

/** For the admission: every problem of a template that is known without the objects' values. */
export function templateProblems(
  text: string,
  objects?: readonly TemplateObject[],
  effort = new TemplateEffort(),
): string[] {
  const parsed = parseTemplate((plainEngine ??= templateEngine()), text, objects, effort)
  return parsed.ok ? [] : parsed.problems
}

/** What was parsed is the template's text, so quoting it is safe. */
function syntaxProblem(error: unknown): string {
  if (!LiquidError.is(error)) return error instanceof Error ? error.message : String(error)
  const [line] = error.token.getPosition()
  return `line ${line}: ${error.originalError?.message ?? error.message.replace(/, line:\d+, col:\d+$/, '')}`
}

const namespaceOf = { secret: 'secrets', key: 'keys', cert: 'certs' } as const
export type Namespace = 'secrets' | 'keys' | 'certs' | 'files'

/** The paths of the files that a name may mean; more than one where it is ambiguous. */
export type Meanings = Map<string, string[]>

/**
 * The names that a template may use: `secrets["name"]`, `keys["name"]`, `certs["name"]` mean the content of the object's file (with
 * history, of the newest version), `files["path"]` that of any file; the bare `name` is any object's.
 */
export function templateNames(objects: readonly TemplateObject[]): Record<Namespace | 'bare', Meanings> {
  const names: Record<Namespace | 'bare', Meanings> = {
    secrets: new Map(),
    keys: new Map(),
    certs: new Map(),
    files: new Map(),
    bare: new Map(),
  }
  const add = (meanings: Meanings, name: string, path: string) => {
    const paths = meanings.get(name)
    if (paths === undefined) meanings.set(name, [path])
    else paths.push(path)
  }
  for (const object of objects) {
    const paths = filesOf(object)
    const [path] = paths as [string]
    add(names[namespaceOf[object.type]], object.name, path)
    if (!isNamespace(object.name)) add(names.bare, object.name, path)
    for (const path of paths) add(names.files, path, path)
  }
  return names
}

function nameProblems(engine: Liquid, template: Template[], objects: readonly TemplateObject[]): string[] {
  const names = templateNames(objects)
  const suggest = firstSuggestions()
  const used = Object.values(engine.analyzeSync(template, { partials: false }).globals).flat()
  const problems = used.map(({ segments: [root, name], location }) => {
    const problem =
      typeof root !== 'string'
        ? undefined
        : !isNamespace(root)
          ? nameProblem(names.bare, root, suggest, quote, () => [...names.bare.keys(), ...namespaces])
          : typeof name === 'string'
            ? nameProblem(names[root], name, suggest, (name) => `${root}[${quote(name)}]`)
            : undefined
    return problem && `line ${location.row}: ${problem}`
  })
  return [...new Set(problems.filter((problem) => problem !== undefined))]
}

const namespaces: readonly string[] = ['secrets', 'keys', 'certs', 'files'] satisfies Namespace[]
const isNamespace = (name: string): name is Namespace => namespaces.includes(name)

function nameProblem(
  meanings: Meanings,
  name: string,
  suggest: typeof didYouMean,
  show: (name: string) => string,
  all: () => readonly string[] = () => [...meanings.keys()],
): string | undefined {
  const paths = meanings.get(name)
  if (paths === undefined) {
    const known = all()
    const list = known.length > 10 ? [...known.slice(0, 10), '...'] : known
    return `there is no ${show(name)}${suggest(name, known) || ` (there is ${list.join(', ') || 'none'})`}`
  }
  if (paths.length === 1) return undefined
  const some = paths.slice(0, 3).map((path) => `files[${quote(path)}]`)
  return `${show(name)} may mean several objects; use ${some.join(' or ')}${paths.length > some.length ? ' or another' : ''}`
}
