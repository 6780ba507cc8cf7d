import { Liquid, LiquidError, type Template } from 'liquidjs'
import { filesOf, type ObjectSpec } from './object-spec.ts'
import { fail, ok, type Parsed } from './parsed.ts'
import { didYouMean, quote } from './suggest.ts'

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
 */
export function parseTemplate(engine: Liquid, text: string, objects?: readonly TemplateObject[]): Parsed<Template[]> {
  try {
    const template = engine.parse(text)
    const problems = objects === undefined ? [] : nameProblems(engine, template, objects)
    return problems.length > 0 ? fail(...problems) : ok(template)
  } catch (error) {
    return fail(syntaxProblem(error))
  }
}

/** For the admission: every problem of a template that is known without the objects' values. */
export function templateProblems(text: string, objects?: readonly TemplateObject[]): string[] {
  const parsed = parseTemplate(templateEngine(), text, objects)
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
  const add = (meanings: Meanings, name: string, path: string) => meanings.set(name, [...(meanings.get(name) ?? []), path]) // prettier-ignore
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
  const used = Object.values(engine.analyzeSync(template, { partials: false }).globals).flat()
  const problems = used.map(({ segments: [root, name], location }) => {
    const problem =
      typeof root !== 'string'
        ? undefined
        : !isNamespace(root)
          ? nameProblem(names.bare, root, quote, [...names.bare.keys(), ...namespaces])
          : typeof name === 'string'
            ? nameProblem(names[root], name, (name) => `${root}[${quote(name)}]`)
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
  show: (name: string) => string,
  known: readonly string[] = [...meanings.keys()],
): string | undefined {
  const paths = meanings.get(name)
  if (paths === undefined) {
    const list = known.length > 10 ? [...known.slice(0, 10), '...'] : known
    return `there is no ${show(name)}${didYouMean(name, known) || ` (there is ${list.join(', ') || 'none'})`}`
  }
  if (paths.length === 1) return undefined
  return `${show(name)} may mean several objects; use ${paths.map((path) => `files[${quote(path)}]`).join(' or ')}`
}
