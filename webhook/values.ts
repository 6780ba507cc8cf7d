import { annotations, families, readAnnotations, type Annotation, type AnnotationName, type AnnotationValues } from '../shared/annotations.ts' // prettier-ignore
import { annotationPrefix } from '../shared/names.ts'
import { boundProblem, type Configuration } from './configuration.ts'
import type { Notes } from './reasons.ts'

/** Annotations that hold even where nobody set them: the table has a default for each. */
const defaulted = ['inject', 'mount-path', 'poll-interval', 'mode', 'signal-permission', 'splay', 'cloud', 'on-delete', 'startup-timeout', 'log-level', 'suspend'] as const satisfies AnnotationName[] // prettier-ignore
export type Values = AnnotationValues & Required<Pick<AnnotationValues, (typeof defaulted)[number]>>

const tableDefaults: AnnotationValues = readAnnotations(
  Object.fromEntries(defaulted.map((name) => [annotationPrefix + name, annotations[name].default ?? ''])),
).values

/**
 * What holds for a pod: its own annotations, then the Namespace's, then the administrator's defaults, then the table's.
 * Every unknown, unreadable, forbidden or unbounded one is a problem.
 */
export function resolveValues(
  onPod: Record<string, string>,
  onNamespace: Record<string, string>,
  configuration: Configuration,
  notes: Notes,
): Values {
  const pod = readAnnotations(onPod)
  const namespace = readAnnotations(onNamespace, 'namespace')
  notes.own('bad-annotation', ...pod.problems)
  notes.problem('bad-annotation', ...namespace.problems)
  for (const key of Object.keys(onPod)) {
    if (key.startsWith(annotationPrefix)) checkAllowed(key.slice(annotationPrefix.length), configuration, notes)
  }
  checkBounds(pod.values, '', configuration, notes)
  checkBounds(namespace.values, ' of the namespace', configuration, notes)
  const { defaults } = configuration
  return {
    ...clamped(tableDefaults, configuration),
    ...defaults,
    ...namespace.values,
    ...pod.values,
    templates: { ...defaults.templates, ...namespace.values.templates, ...pod.values.templates },
    bundles: { ...defaults.bundles, ...namespace.values.bundles, ...pod.values.bundles },
  } as Values
}

/** The SecretProviderClasses that hold for a pod, to be looked up before anything is decided; none where they are unreadable. */
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

/** The table's own durations, moved to where the administrator's bounds begin. */
function clamped(values: AnnotationValues, { bounds }: Configuration): AnnotationValues {
  const entries = Object.entries(values).map(([name, value]) => {
    const bound = bounds[name as AnnotationName]
    return [name, bound && typeof value === 'number' ? Math.min(Math.max(value, bound.min), bound.max) : value]
  })
  return Object.fromEntries(entries) as AnnotationValues
}

/** Whether pods may set an annotation or a family of them, such as `template-*`. */
export const isAllowedOnPods = (name: string, { annotations: { allowed, forbidden } }: Configuration): boolean =>
  !forbidden?.includes(name) && (allowed === undefined || allowed.includes(name))

function checkAllowed(name: string, configuration: Configuration, notes: Notes): void {
  const family = Object.keys(families).find((prefix) => name.startsWith(prefix))
  // A copy of an injected pod brings what we wrote ourselves; an unknown name is told already.
  if (family === undefined && (!Object.hasOwn(annotations, name) || (annotations[name as AnnotationName] as Annotation<unknown>).written)) return // prettier-ignore
  if (!isAllowedOnPods(family === undefined ? name : `${family}*`, configuration)) {
    notes.own('not-allowed', `annotation ${annotationPrefix}${name}: the administrator does not allow it on pods`)
  }
}

function checkBounds(values: AnnotationValues, where: string, configuration: Configuration, notes: Notes): void {
  for (const [name, value] of Object.entries(values)) {
    const problem = boundProblem(name as AnnotationName, value, configuration)
    if (problem !== undefined) notes.problem('not-allowed', `annotation ${annotationPrefix}${name}${where}: ${problem}`)
  }
}
