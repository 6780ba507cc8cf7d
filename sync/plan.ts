import { readAnnotations } from '../shared/annotations/read.ts'
import { tokenAudience } from '../shared/names.ts'
import { filesOf, objectName, type ObjectSpec } from '../shared/objects/spec.ts'
import { treeProblems } from '../shared/paths.ts'
import { TemplateEffort, templateProblems, templateUses } from '../shared/render/template.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import type { Settings } from '../shared/settings/codec.ts'
import type { Configuration } from '../webhook/configuration/configuration.ts'
import type { PlanContext } from '../webhook/plan/context.ts'
import { resolveValues } from '../webhook/plan/effective-annotations.ts'
import { accountOf, resolveIdentity } from '../webhook/plan/identity.ts'
import type { ServiceAccount } from '../webhook/plan/inputs.ts'
import { collectObjects, type RequestedObject } from '../webhook/plan/objects.ts'
import { trusting } from '../shared/clouds/trusting.ts'
import { resolveClasses } from '../webhook/plan/secret-provider-class/resolve-classes.ts'
import { Diagnostics } from '../webhook/reasons.ts'
import { readSecretObjects, type SecretRequest } from './secret-objects.ts'
import { readOptions, type SyncClass, type SyncOptions } from './sync-class.ts'

/** Everything that is decided about a class before its vault is asked. */
export interface ClassPlan extends Pick<Settings, 'clouds' | 'identities' | 'objects' | 'templates'> {
  options: SyncOptions
  /** The Secrets that can be written. */
  secrets: SecretRequest[]
  /** Why other Secrets of the class cannot be written. */
  problems: string[]
  /** The vault's URL. */
  vault: string
  /** Of the ServiceAccount's token. */
  audience: string
  /** In milliseconds. */
  pollInterval: number
  /** Every object is read at least this often, in milliseconds. */
  fullRefresh: number
}

/** Limit of the versions of objects that one class reads: Key Vault has up to 25 KB for each. */
const mostVersions = 500
/** Limit of the templates of one class. */
const mostTemplates = 20

/**
 * Decides what to read for a class and which Secrets to write, with the rules that admission has for the same class in a pod: vaults,
 * clouds, identities.
 * @param account the ServiceAccount that the class names
 */
export function planClass(one: SyncClass, account: ServiceAccount, configuration: Configuration): Result<ClassPlan> {
  const options = readOptions(one.annotations)
  if (!options.ok) return options
  const { requests, problems } = readSecretObjects((one.spec as { secretObjects?: unknown } | undefined)?.secretObjects)
  const diagnostics = new Diagnostics()
  const { others, serviceAccount } = options.value
  const namespace = { name: one.namespace, labels: {}, annotations: {} }
  const values = {
    ...resolveValues(others, {}, configuration, diagnostics),
    'secret-provider-class': [one.name],
  }
  const pod = { metadata: { annotations: others }, spec: { serviceAccountName: serviceAccount, containers: [] } }
  const context: PlanContext = { pod, values, namespace, configuration, diagnostics }
  const known = accountOf(context, account)
  const { objects: all } = resolveClasses(
    { ...context, identity: resolveIdentity(context, known, false), account: known, knownClasses: [] },
    new Map([[one.name, { spec: one.spec }]]),
  )
  const { templates = {} } = readAnnotations(others).values
  const sentences = diagnostics.problems.map(({ text }) => text)
  if (all.some(({ identity }) => identity.mode !== undefined))
    sentences.push(
      'useVMManagedIdentity: Secrets are read only with the client ID of a ServiceAccount: remove it and set clientID',
    )
  if (sentences.length === 0) sentences.push(...textProblems(all, templates))
  if (sentences.length > 0) return fail(...sentences)

  const { possible, impossible } = separate(requests, all, templates)
  const wanted = new Set(possible.flatMap(({ data }) => [...data.values()]))
  const isRendered = Object.keys(templates).some((path) => wanted.has(path))
  // What no Secret contains is not read.
  const read = all.filter(({ object }) => isRendered || filesOf(object).some((path) => wanted.has(path)))
  const versions = read.reduce((sum, { object }) => sum + object.history, 0)
  if (versions > mostVersions)
    return fail(`${versions} versions of objects are more than a class may have, ${mostVersions}: split the class`)
  const collected = collectObjects({ objects: read, finds: [] }, (cloud) =>
    trusting(cloud, configuration.caCertificates),
  )
  const left = [...problems, ...impossible]
  const [first] = collected.objects
  if (first === undefined) return fail(...left)
  const { clouds, identities, objects } = collected
  return ok({
    ...{ clouds, identities, objects, templates, options: options.value, secrets: possible, problems: left },
    vault: first.vault,
    audience: clouds[identities[first.identity]?.cloud ?? '']?.tokenAudience ?? tokenAudience,
    pollInterval: values['poll-interval'],
    fullRefresh: configuration.fullRefresh,
  })
}

/** Returns the problems of files that conflict, and of templates. */
function textProblems(all: readonly RequestedObject[], templates: Readonly<Record<string, string>>): string[] {
  const paths = Object.keys(templates)
  if (paths.length > mostTemplates)
    return [`${paths.length} templates are more than a class may have, ${mostTemplates}`]
  const objects = all.map(({ object }) => object)
  const effort = new TemplateEffort()
  return [
    ...treeProblems([
      ...objects.flatMap((object) => filesOf(object).map((path) => ({ path, source: objectName(object) }))),
      ...paths.map((path) => ({ path, source: `template ${path}` })),
    ]),
    ...Object.entries(templates).flatMap(([path, text]) =>
      templateProblems(templateUses(text, effort), objects).map((problem) => `template "${path}", ${problem}`),
    ),
  ]
}

/** Separates the requests for Secrets whose every value the class has from the problems of the others. */
function separate(
  requests: readonly SecretRequest[],
  all: readonly RequestedObject[],
  templates: Readonly<Record<string, string>>,
): { possible: SecretRequest[]; impossible: string[] } {
  const files = new Set([...all.flatMap(({ object }) => filesOf(object)), ...Object.keys(templates)])
  const possible: SecretRequest[] = []
  const impossible: string[] = []
  for (const request of requests) {
    const missing = [...request.data.values()].filter((path) => !files.has(path))
    if (missing.length === 0) possible.push(request)
    else
      impossible.push(
        `Secret ${request.name}: the class has no object or template ${missing.join(', ')}: objectName is the alias of an object, or its name without one`,
      )
  }
  return { possible, impossible }
}

/** Returns the objects whose values a Secret contains, by index: all of them if it contains a template. */
export function objectsOf(
  { data }: SecretRequest,
  { objects, templates }: Pick<ClassPlan, 'objects' | 'templates'>,
): number[] {
  const paths = new Set(data.values())
  const hasTemplate = [...paths].some((path) => Object.hasOwn(templates, path))
  const isIn = (object: ObjectSpec): boolean => hasTemplate || filesOf(object).some((path) => paths.has(path))
  return [...objects.entries()].flatMap(([index, object]) => (isIn(object) ? [index] : []))
}
