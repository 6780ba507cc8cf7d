import { readAnnotations } from '../../shared/annotations/read.ts'
import {
  annotations,
  defaultedNames,
  families,
  rowOf,
  type AnnotationName,
  type AnnotationValues,
  type DefaultedName,
} from '../../shared/annotations/table.ts'
import type { VariableRequest } from '../../shared/annotations/variables.ts'
import { annotationPrefix } from '../../shared/names.ts'
import { parseEntry, type ObjectsDocument } from '../../shared/objects/parse.ts'
import { boundProblem, type Configuration } from '../configuration/configuration.ts'
import type { Diagnostics } from '../reasons.ts'

/** The values in effect for a pod. Those with a default in the table are always present. */
export type Values = AnnotationValues & Required<Pick<AnnotationValues, DefaultedName>>

const tableDefaults: AnnotationValues = readAnnotations(
  Object.fromEntries(defaultedNames.map((name) => [annotationPrefix + name, annotations[name].default])),
).values

/**
 * Returns the values in effect for a pod: its own annotations override the Namespace's, those the administrator's defaults, and those the
 * table's. Every annotation that is unknown, invalid, forbidden or out of bounds is a problem.
 */
export function resolveValues(
  onPod: Record<string, string>,
  onNamespace: Record<string, string>,
  configuration: Configuration,
  diagnostics: Diagnostics,
): Values {
  const pod = readAnnotations(onPod)
  const namespace = readAnnotations(onNamespace, 'namespace')
  diagnostics.own('bad-annotation', ...pod.problems)
  diagnostics.problem('bad-annotation', ...namespace.problems)
  for (const key of Object.keys(onPod)) {
    if (key.startsWith(annotationPrefix)) checkAllowed(key.slice(annotationPrefix.length), configuration, diagnostics)
  }
  checkBounds(pod.values, '', configuration, diagnostics)
  checkBounds(namespace.values, ' of the namespace', configuration, diagnostics)
  const { defaults } = configuration
  const values = {
    ...clamped(tableDefaults, configuration),
    ...defaults,
    ...namespace.values,
    ...pod.values,
    templates: { ...defaults.templates, ...namespace.values.templates, ...pod.values.templates },
    bundles: { ...defaults.bundles, ...namespace.values.bundles, ...pod.values.bundles },
  } as Values
  const requests = ['objects', 'secret-provider-class'] as const
  const hasObjects = requests.some(
    (name) =>
      values[name] !== undefined || [onPod, onNamespace].some((on) => Object.hasOwn(on, annotationPrefix + name)),
  )
  return values.env === undefined || hasObjects ? values : { ...values, objects: objectsOfVariables(values.env) }
}

/** Without another annotation that lists objects, `env` lists them. What is no object's name is reported when its variable is resolved. */
function objectsOfVariables(env: readonly VariableRequest[]): ObjectsDocument {
  const names = new Set(env.map(({ source }) => source).filter((source) => /^[^=@]+$/.test(source)))
  const objects = [...names].flatMap((source) => {
    const parsed = parseEntry(source)
    return parsed.ok ? [parsed.value] : []
  })
  return { objects, templates: {}, bundles: {} }
}

/** Returns all templates of a pod by path. */
export const templatesOf = ({ templates, objects }: Values): Record<string, string> => ({
  ...templates,
  ...objects?.templates,
})

/** Returns the names of a pod's SecretProviderClasses, which are looked up before the decision; none if the annotation is invalid. */
export function classNames(
  onPod: Record<string, string>,
  onNamespace: Record<string, string>,
  { defaults }: Configuration,
): string[] {
  const key = `${annotationPrefix}secret-provider-class`
  const text = onPod[key] ?? onNamespace[key]
  if (text === undefined) return defaults['secret-provider-class'] ?? []
  const parsed = annotations['secret-provider-class'].parse(text.trim())
  return parsed.ok ? parsed.value : []
}

/** Clamps the table's default durations to the administrator's bounds. */
function clamped(values: AnnotationValues, { bounds }: Configuration): AnnotationValues {
  const entries = Object.entries(values).map(([name, value]) => {
    const bound = bounds[name as AnnotationName]
    return [name, bound && typeof value === 'number' ? Math.min(Math.max(value, bound.min), bound.max) : value]
  })
  return Object.fromEntries(entries) as AnnotationValues
}

/** Whether pods may have an annotation, or a family of annotations such as `template-*`. */
export const isAllowedOnPods = (name: string, { annotations: { allowed, forbidden } }: Configuration): boolean =>
  !forbidden?.includes(name) && (allowed === undefined || allowed.includes(name))

function checkAllowed(name: string, configuration: Configuration, diagnostics: Diagnostics): void {
  const family = Object.keys(families).find((prefix) => name.startsWith(prefix))
  // A copy of an injected pod has annotations that the webhook wrote; an unknown name is already a problem.
  if (family === undefined && (!Object.hasOwn(annotations, name) || rowOf(name as AnnotationName).written)) return
  if (!isAllowedOnPods(family === undefined ? name : `${family}*`, configuration)) {
    diagnostics.own('not-allowed', forbiddenText(name, configuration))
  }
}

function forbiddenText(name: string, { annotations: { forbidden } }: Configuration): string {
  const family = Object.keys(families).find((prefix) => name.startsWith(prefix))
  const isForbidden = forbidden?.includes(family === undefined ? name : `${family}*`)
  const rule = isForbidden ? 'is forbidden by annotations.forbidden' : 'is not listed in annotations.allowed'
  const elsewhere =
    family === undefined && rowOf(name as AnnotationName).podOnly ? '' : ' (it may still be set on the Namespace)'
  return `annotation ${annotationPrefix}${name} ${rule} of the injector's configuration: remove it from the pod${elsewhere}`
}

function checkBounds(
  values: AnnotationValues,
  where: string,
  configuration: Configuration,
  diagnostics: Diagnostics,
): void {
  for (const [name, value] of Object.entries(values)) {
    const problem = boundProblem(name as AnnotationName, value, configuration)
    if (problem !== undefined)
      diagnostics.problem('not-allowed', `annotation ${annotationPrefix}${name}${where}: ${problem}`)
  }
}
