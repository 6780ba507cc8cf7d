import { templateSource, type VariableRequest } from '../../shared/annotations/variables.ts'
import { firstSuggestions, listed, quote } from '../../shared/messages.ts'
import { filesOf, objectName, type ObjectSpec } from '../../shared/objects/spec.ts'
import { signals } from '../../shared/signals.ts'
import { allContainers, type Container } from '../pod/pod.ts'
import type { PlanContext } from './context.ts'
import { templatesOf } from './effective-annotations.ts'
import type { Mode } from './mode.ts'
import { sidecarIndex } from './order.ts'
import type { Requests } from './requests.ts'

/** An environment variable and the file of the volume that its value is in. */
export interface Variable {
  name: string
  /** The file that has the value alone, an object's first or a template's. */
  path: string
  /** The object may not exist; the variable is then left out. */
  optional: boolean
}

/** The environment variables of a pod. */
export interface Variables {
  variables: Variable[]
  /** Names of the containers that get them. */
  containers: string[]
}

interface VariableInputs {
  mode: Mode
  /** Names of the containers of the annotation `containers`. */
  containers: readonly string[]
  requests: Requests
  oldestKubelet: string | undefined
  apiServer: string | undefined
}

/** Variables from files are on by default from this minor version. {@link https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/} */
const since = 35
/** Limit of the entries in all containers, which the patch and the pod contain. */
const maxEntries = 2_000

/** Resolves the annotations `env` and `env-containers`; undefined if the pod requests no variables. */
export function resolveVariables(context: PlanContext, inputs: VariableInputs): Variables | undefined {
  const { values, diagnostics } = context
  const { env } = values
  if (env === undefined) {
    if (values['env-containers'] !== undefined)
      diagnostics.warn('no-effect', 'add the annotation env, or remove env-containers: it has no effect alone')
    return undefined
  }
  checkVersions(context, inputs)
  const containers = resolveContainers(context, inputs.containers)
  const variables = resolveSources(context, env, inputs.requests)
  if (containers.length * env.length > maxEntries)
    diagnostics.problem(
      'too-large',
      `${env.length} environment variables in ${containers.length} containers are more than a pod may have, ${maxEntries} in all: name fewer containers in env-containers`,
    )
  else checkNames(context, env, containers)
  warnOfRestarts(context, inputs.mode)
  return { variables, containers }
}

/** An older kubelet sets such variables empty without a word, and an older API server drops the field. */
function checkVersions({ diagnostics }: PlanContext, { oldestKubelet, apiServer }: VariableInputs): void {
  const found = [
    { what: 'the API server', which: 'the API server', version: apiServer },
    { what: 'the oldest node', which: 'a node', version: oldestKubelet },
  ]
  const old = found.filter(({ version }) => !(minorOf(version) >= since))
  if (old.length === 0) return
  const reasons = old.map(({ what, which, version }) =>
    version === undefined ? `the version of ${what} is not known` : `${which} runs ${version}`,
  )
  diagnostics.problem(
    'env',
    `env needs Kubernetes 1.${since} on the API server and every node, and ${reasons.join(' and ')}: upgrade, or let the app read a file that a template or the annotation bundle-.env writes`,
  )
}

const minorOf = (version = ''): number => Number(/^v?1\.(\d+)/.exec(version)?.[1])

function resolveContainers({ pod, values, configuration, diagnostics }: PlanContext, all: readonly string[]): string[] {
  const asked = values['env-containers']
  const names = allContainers(pod).map(({ name }) => name)
  const known = new Set(names)
  const suggest = firstSuggestions()
  for (const name of new Set(asked ?? [])) {
    if (known.has(name)) continue
    diagnostics.problem(
      'unknown-container',
      `annotation azure.keyvault.injector/env-containers: there is no container ${quote(name)}${suggest(name, names)}; the pod has ${listed(names)}`,
    )
  }
  const wanted = new Set(asked ?? all)
  const init = pod.spec.initContainers ?? []
  const early = init.slice(0, sidecarIndex(init, configuration.knownSidecars)).filter(({ name }) => wanted.has(name))
  if (early.length > 0)
    diagnostics.problem(
      'env',
      `${listed(early.map(({ name }) => quote(name)))} start${early.length > 1 ? '' : 's'} before the sidecar, which writes the environment variables: list the other containers in env-containers`,
    )
  return names.filter((name) => wanted.has(name))
}

function resolveSources(
  context: PlanContext,
  env: readonly VariableRequest[],
  { objects, complete }: Requests,
): Variable[] {
  const { values, diagnostics } = context
  const templates = templatesOf(values)
  const find = finder(objects)
  const suggest = firstSuggestions()
  const known = (): string[] => [
    ...objects.map(({ path }) => path),
    ...Object.keys(templates).map((path) => templateSource + path),
  ]
  return env.flatMap(({ name, source }): Variable[] => {
    const problem = (text: string): [] => {
      diagnostics.problem('bad-annotation', `annotation azure.keyvault.injector/env: ${name}: ${text}`)
      return []
    }
    const template = source.startsWith(templateSource) ? source.slice(templateSource.length) : undefined
    if (template !== undefined)
      return Object.hasOwn(templates, template)
        ? [{ name, path: template, optional: false }]
        : problem(`there is no template ${quote(template)}${suggest(source, known())}`)
    const [object, other] = find(source)
    if (object === undefined)
      return complete
        ? problem(
            `the pod has no object ${quote(source)}${suggest(source, known())}; list it in the annotation objects`,
          )
        : []
    if (other !== undefined)
      return problem(
        `${quote(source)} may be ${objectName(object)} at ${quote(object.path)} or ${objectName(other)} at ${quote(other.path)}: write the path`,
      )
    if (values['on-delete'] === 'delete')
      diagnostics.problem(
        'env',
        `on-delete: delete would remove the file of ${objectName(object)}, without which no container with the environment variable ${name} starts again: remove on-delete, or ${name} from env`,
      )
    return [{ name, path: filesOf(object)[0] ?? object.path, optional: object.optional }]
  })
}

/** Finds the objects that a text names: one by its path, or else all of the name, with or without a type. */
function finder(objects: readonly ObjectSpec[]): (source: string) => readonly ObjectSpec[] {
  const byPath = new Map(objects.map((object) => [object.path, object]))
  const byName = Map.groupBy(objects, ({ name }) => name)
  const byType = Map.groupBy(objects, ({ type, name }) => `${type}/${name}`)
  return (source) => {
    const object = byPath.get(source)
    return object === undefined ? (byName.get(source) ?? byType.get(source) ?? []) : [object]
  }
}

/** A container's own variable of the same name would be one of two, of which Kubernetes takes the last. */
function checkNames(
  { pod, diagnostics }: PlanContext,
  env: readonly VariableRequest[],
  containers: readonly string[],
): void {
  const names = new Set(env.map(({ name }) => name))
  const affected = new Set(containers)
  for (const container of allContainers(pod).filter(({ name }) => affected.has(name))) {
    for (const { name } of (container.env ?? []).filter(({ name }) => names.has(name)))
      diagnostics.problem(
        'clash',
        `container ${quote(container.name)} has an environment variable ${name} of its own: remove it, or rename the one in the annotation env`,
      )
  }
}

/** Variables are read when a container starts, so that only a restart shows a rotation to the app. */
function warnOfRestarts({ values: { signal }, diagnostics }: PlanContext, mode: Mode): void {
  if (mode === 'once' || (signal !== undefined && signals[signal].terminates)) return
  diagnostics.warn(
    'env-restart',
    `set signal: SIGTERM, or restart the pods after a rotation: a running container keeps the old value of an environment variable${signal === undefined ? '' : `, and apps do not exit on ${signal}`}`,
  )
}

/** Returns a container with its variables before its own, so that these may refer to them. */
export const withVariables = (container: Container, entries: NonNullable<Container['env']>): Container => ({
  ...container,
  env: [...entries, ...(container.env ?? [])],
})
