import { Liquid, LiquidError, Token, Tokenizer, TokenKind, type Template } from 'liquidjs'
import { filesOf, type ObjectSpec } from '../objects/spec.ts'
import { fail, ok, type Result } from '../result.ts'
import { finish, type Steps } from '../steps.ts'
import { firstSuggestions, quote, type didYouMean } from '../messages.ts'

// This module loads LiquidJS: the sidecar imports it only when there is a template.

/** The fields of an object that a template can refer to. */
export type TemplateObject = Pick<ObjectSpec, 'type' | 'name' | 'path' | 'history' | 'split'>

const ownFilters = [
  'b64enc',
  'b64dec',
  'pem_cert',
  'pem_key',
  'pem_ca',
  'parse_json',
  'percent_encode',
  'shell_quote',
  'properties_escape',
] as const

/** The injector's own filters, in addition to those of LiquidJS (`json` is one of those). */
export type TemplateFilters = Record<(typeof ownFilters)[number], (value: unknown) => unknown>

/** Limit of a template; settings have at most 96 KiB, so none is longer. */
const parseLimit = 96 * 1024
/** Time limit of a template. An ordinary one takes less than 10 ms, but the sidecar's share of a CPU may be small. */
const renderLimitMs = 3000
/** Limit of what LiquidJS counts as memory: roughly, the characters and items that it allocates. */
const memoryLimit = 4_000_000

/**
 * Limits of all templates of a pod together: tags and outputs, and the UTF-16 units in them. The text between them
 * costs next to nothing.
 */
export const templateBounds = { tags: 1_000, code: 16 * 1024 } as const

/** What is left of the limits for the templates of one pod. */
export class TemplateEffort {
  #tags: number = templateBounds.tags
  #code: number = templateBounds.code

  /**
   * Returns why a template exceeds the limits, or undefined. @throws the library's error for a text that is not a
   * template
   */
  spend(engine: Liquid, text: string): string | undefined {
    const tokens = new Tokenizer(text, engine.options.operators)
    // Nothing after the first tag beyond the limit is read, nor any further template.
    while (tokens.p < text.length && this.#tags >= 0 && this.#code >= 0) {
      const token = tokens.readTopLevelToken(engine.options)
      if (token.kind === TokenKind.HTML) continue
      this.#tags--
      this.#code -= token.size()
    }
    if (this.#tags < 0)
      return `the pod's templates have more than ${templateBounds.tags} tags and outputs: split the pod's files`
    return this.#code < 0
      ? `the tags and outputs of the pod's templates have more than ${templateBounds.code} characters: shorten them`
      : undefined
  }
}

/** The line starts of the text for which a position was last requested. */
let lines: { input: string; starts: number[] } = { input: '', starts: [0] }

/** The library counts from the beginning of the text for each token, which takes quadratic time. */
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

/** Tags that read other files; there are none. */
const fileTags = ['include', 'render', 'layout', 'block']
/** Filters with which a template would yield other bytes, and so notify the app, without a change in the vault. */
const volatileFilters = [
  'date',
  'date_to_xmlschema',
  'date_to_rfc822',
  'date_to_string',
  'date_to_long_string',
  'sample',
]

/**
 * LiquidJS for templates: strict about names, without files, clock and randomness, and with limits. Filters are needed
 * only to render.
 */
export function createTemplateEngine(filters?: TemplateFilters): Liquid {
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    // So that `if` and `default` can test an optional object that does not exist.
    lenientIf: true,
    templates: {},
    parseLimit,
    renderLimit: renderLimitMs,
    memoryLimit,
  })
  for (const tag of fileTags) Reflect.deleteProperty(engine.tags, tag)
  for (const filter of volatileFilters) engine.unregisterFilter(filter)
  for (const name of ownFilters) engine.registerFilter(name, filters?.[name] ?? ((value: unknown) => value))
  return engine
}

/** A name that a template refers to, and its line. */
interface Use {
  segments: unknown[]
  line: number
}

/** What a template refers to, or why it is not a template. It does not depend on the pod's objects. */
export type TemplateUses = Result<Use[]>

/**
 * Parses a template and checks that every name in it exists; a problem begins with its line.
 * @param groups the names of the pod's groups of found objects
 */
export function parseTemplate(
  engine: Liquid,
  text: string,
  objects: readonly TemplateObject[],
  groups: readonly string[] = [],
): Result<Template[]> {
  const parsed = finish(parsing(engine, text, new TemplateEffort()))
  const problems = parsed.ok ? nameProblems(parsed.value.uses, objects, groups) : parsed.problems
  return parsed.ok && problems.length === 0 ? ok(parsed.value.template) : fail(...problems)
}

function* parsing(
  engine: Liquid,
  text: string,
  effort: TemplateEffort,
): Steps<Result<{ template: Template[]; uses: Use[] }>> {
  try {
    const tooMuch = effort.spend(engine, text)
    if (tooMuch !== undefined) return fail(tooMuch)
    yield
    const template = engine.parse(text)
    yield
    const used = Object.values(engine.analyzeSync(template, { partials: false }).globals).flat()
    return ok({ template, uses: used.map(({ segments, location }) => ({ segments, line: location.row })) })
  } catch (error) {
    return fail(syntaxProblem(error))
  }
}

/** Created once, because that costs more than reading most templates. */
let plainEngine: Liquid | undefined

/**
 * Reads a template for the admission.
 * @param effort what is left for the templates of one pod
 */
export const templateUses = (text: string, effort = new TemplateEffort()): TemplateUses =>
  finish(templateSteps(text, effort))

/** {@link templateUses} in steps. */
export function* templateSteps(text: string, effort: TemplateEffort): Steps<TemplateUses> {
  const parsed = yield* parsing((plainEngine ??= createTemplateEngine()), text, effort)
  return parsed.ok ? ok(parsed.value.uses) : parsed
}

/**
 * Returns every problem of a template that the admission can find without the objects' values.
 * @param objects if undefined, names are not checked
 * @param groups the names of the pod's groups of found objects
 */
export function templateProblems(
  uses: TemplateUses,
  objects?: readonly TemplateObject[],
  groups: readonly string[] = [],
): string[] {
  if (!uses.ok) return uses.problems
  return objects === undefined ? [] : nameProblems(uses.value, objects, groups)
}

/** The parsed text is the template itself, so it may be quoted. */
function syntaxProblem(error: unknown): string {
  if (!LiquidError.is(error)) return error instanceof Error ? error.message : String(error)
  const [line] = error.token.getPosition()
  return `line ${line}: ${error.originalError?.message ?? error.message.replace(/, line:\d+, col:\d+$/, '')}`
}

const namespaceOf = { secret: 'secrets', key: 'keys', cert: 'certs' } as const
export type Namespace = 'secrets' | 'keys' | 'certs' | 'files'

/** Returns the paths of the files that a name may mean; more than one if it is ambiguous. */
export type Meanings = Map<string, string[]>

/**
 * Returns the names that a template may use: `secrets["name"]`, `keys["name"]` and `certs["name"]` are the content of
 * the object's file (of a history, the newest version), `files["path"]` that of any file; the bare `name` is that of
 * any object. What finds select has no name of its own, because it comes and goes: `groups["name"]` lists it.
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

function nameProblems(uses: readonly Use[], objects: readonly TemplateObject[], groups: readonly string[]): string[] {
  const names = { ...templateNames(objects), groups: new Map(groups.map((group) => [group, ['']])) }
  const suggest = firstSuggestions()
  const problems = uses.map(({ segments: [root, name], line }) => {
    const problem =
      typeof root !== 'string'
        ? undefined
        : !isNamespace(root)
          ? nameProblem(names.bare, root, suggest, quote, () => [
              ...names.bare.keys(),
              ...namespaces.filter((name) => name !== 'groups' || groups.length > 0),
            ])
          : typeof name === 'string'
            ? nameProblem(names[root], name, suggest, (name) => `${root}[${quote(name)}]`)
            : undefined
    return problem && `line ${line}: ${problem}`
  })
  return [...new Set(problems.filter((problem) => problem !== undefined))]
}

const namespaces: readonly string[] = ['secrets', 'keys', 'certs', 'files', 'groups'] satisfies (Namespace | 'groups')[]
const isNamespace = (name: string): name is Namespace | 'groups' => namespaces.includes(name)

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
