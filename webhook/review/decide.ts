import { readAnnotations } from '../../shared/annotations/read.ts'
import { annotations } from '../../shared/annotations/table.ts'
import { annotationPrefix, systemLabel, workloadIdentityLabel } from '../../shared/names.ts'
import { createPlan } from '../plan/plan.ts'
import { type PlanInputs } from '../plan/inputs.ts'
import { desiredPod } from '../inject/desired.ts'
import { warnOfLateProxies } from '../plan/mesh.ts'
import {
  checkNames,
  checkOwnSizes,
  checksVariables,
  findPreviousInjection,
  keepAdditions,
} from '../pod/previous-injection.ts'
import type { Result } from '../../shared/result.ts'
import { appContainers, initContainers, type Pod } from '../pod/pod.ts'
import { isFarTooLarge, sizeProblems } from '../pod/pod-size.ts'
import { isForWindows } from '../pod/windows.ts'
import {
  Diagnostics,
  problemsByImportance,
  warningsByImportance,
  type Problem,
  type SkipReason,
  type Warning,
} from '../reasons.ts'
import type { Decision } from './decision.ts'

const skip = (reason: SkipReason, warnings: Warning[] = []): Decision => ({ kind: 'skip', reason, warnings })

/**
 * Decides about a pod that is being created.
 * @param read the pod as the API server sent it, which is not changed, or why it is malformed
 */
export function decide(read: Result<Pod>, inputs: PlanInputs): Decision {
  const diagnostics = new Diagnostics()
  if (!read.ok) diagnostics.own('malformed-pod', ...read.problems)
  else if (areAnnotationsTooLong(read.value)) {
    diagnostics.own(
      'malformed-pod',
      `the pod's annotations take more than the ${mostAnnotations / 1024} KiB that the Kubernetes API allows`,
    )
  } else {
    const left = skipDecision(read.value, inputs)
    if (left !== undefined) return left
    const decided = inject(read.value, inputs, diagnostics)
    if (decided !== undefined) return decided
  }
  const [first, ...rest] = capProblems(problemsByImportance(diagnostics.problems))
  if (first === undefined) throw new Error('a pod was neither injected nor denied')
  return {
    kind: 'deny',
    problems: [first, ...rest],
    warnings: named(diagnostics),
    ...(diagnostics.isFinal ? { isFinal: true } : {}),
  }
}

/** The API server calls webhooks before it validates annotations. {@link https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/} */
const mostAnnotations = 256 * 1024

function areAnnotationsTooLong({ metadata: { annotations = {} } = {} }: Pod): boolean {
  let length = 0
  // There may be 100,000: most need not be looked at.
  for (const key in annotations) {
    length += key.length + (annotations[key]?.length ?? 0)
    if (length > mostAnnotations) return true
  }
  return false
}

/** Limit of the problems and of the warnings of one pod that are reported: each is repeated in the response, the log and an Event. */
const mostNamed = 100
/** Length limit of a sentence in UTF-16 units, because it may quote what a user wrote. */
const longestText = 2_000

function capProblems(problems: Problem[]): Problem[] {
  const named = problems.slice(0, mostNamed).map(({ reason, text }) => ({ reason, text: shortened(text) }))
  const [next] = problems.slice(mostNamed)
  if (next === undefined) return named
  return [...named, { reason: next.reason, text: `and ${problems.length - mostNamed} more problems` }]
}

const named = ({ warnings }: Diagnostics): Warning[] =>
  warningsByImportance(warnings)
    .slice(0, mostNamed)
    .map(({ reason, text }) => ({ reason, text: shortened(text) }))

const shortened = (text: string): string => (text.length <= longestText ? text : `${text.slice(0, longestText)}...`)

/** Returns the decision to leave the pod alone, or undefined if it requests injection and may be injected. */
function skipDecision(pod: Pod, { namespace }: PlanInputs): Decision | undefined {
  const raw = pod.metadata?.annotations ?? {}
  const has = (name: string): boolean => Object.hasOwn(raw, annotationPrefix + name)
  if (namespace.name === 'kube-system' || namespace.labels[systemLabel] === 'true') return skip('system-namespace')
  if (Object.hasOwn(raw, 'kubernetes.io/config.mirror')) return skip('mirror-pod')
  if (raw[`${annotationPrefix}inject`]?.trim() === 'false') return skip('opted-out')
  if (pod.metadata?.labels?.[workloadIdentityLabel] !== 'true') return skip('no-label')
  if (has('objects') || has('secret-provider-class') || has('env')) return undefined
  const known = Object.entries(annotations).filter(([, row]) => !('written' in row))
  // A misspelled annotation may have been meant to request injection.
  if (readAnnotations(raw).problems.length > 0) return undefined
  const warning = {
    reason: 'no-objects',
    text: 'add the annotation objects, secret-provider-class or env: the pod has other annotations of the injector, but without one of these nothing is injected',
  } as const
  return skip('no-objects', known.some(([name]) => has(name)) ? [warning] : [])
}

/** Returns the decision to inject, or undefined if `diagnostics` holds problems. */
function inject(pod: Pod, inputs: PlanInputs, diagnostics: Diagnostics): Decision | undefined {
  if (isFarTooLarge(pod)) {
    diagnostics.own('too-large', ...sizeProblems(pod))
    return undefined
  }
  if (isForWindows(pod))
    diagnostics.own('windows', 'the pod is for Windows nodes, which are not supported: it would never get its secrets')
  if (appContainers(pod).length === 0) diagnostics.own('malformed-pod', 'the pod has no containers')
  const previous = findPreviousInjection(pod)
  const originalPod = previous?.pod ?? pod
  const tooLarge = sizeProblems(originalPod)
  diagnostics.own('too-large', ...tooLarge)
  if (tooLarge.length > 0) return undefined
  checkNames(pod, previous, diagnostics)
  if (!checkOwnSizes(pod, diagnostics)) return undefined
  const plan = createPlan(originalPod, inputs, previous, diagnostics)
  if (plan === undefined) return undefined
  // No matter who wrote it, the container shows that other webhooks do not drop the variables from here on.
  const addsVariables = inputs.addsVariables !== false || initContainers(pod).some(checksVariables)
  const wanted = desiredPod(originalPod, plan, addsVariables)
  const { limitRanges } = inputs
  const identityBinding = plan.identity.mode === 'identity-binding'
  const desired =
    previous === undefined ? wanted : keepAdditions(pod, wanted, { limitRanges, identityBinding }, diagnostics)
  if (diagnostics.problems.length > 0) return undefined
  warnOfLateProxies(desired, diagnostics)
  if (desired === pod) return skip('already-injected', named(diagnostics))
  return { kind: 'inject', pod: desired, settings: plan.settings, warnings: named(diagnostics) }
}
