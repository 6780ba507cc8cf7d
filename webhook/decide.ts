import { annotations, readAnnotations } from '../shared/annotations.ts'
import { annotationPrefix, systemLabel, workloadIdentityLabel } from '../shared/names.ts'
import type { Settings } from '../shared/settings.ts'
import { makePlan, type Surroundings } from './plan.ts'
import { desiredPod } from './pod/desired.ts'
import { warnOfLateProxies } from './pod/mesh.ts'
import { checkNames, findEarlier, keepAdditions } from './pod/ours.ts'
import { appContainers, readPod, type Pod } from './pod/pod.ts'
import { sizeProblems } from './pod/size.ts'
import { isForWindows } from './pod/windows.ts'
import {
  Notes,
  problemsByImportance,
  warningsByImportance,
  type Problem,
  type SkipReason,
  type Warning,
} from './reasons.ts'

/** What becomes of a pod. Answers, logs, Events, metrics and audit annotations are read off it, and off nothing else. */
export type Decision =
  | { kind: 'inject'; pod: Pod; settings: Settings; warnings: Warning[] }
  | { kind: 'skip'; reason: SkipReason; warnings: Warning[] }
  | {
      kind: 'deny'
      problems: [Problem, ...Problem[]]
      warnings: Warning[]
      /** The pod itself is wrong: nothing that is looked up anew would change the decision. */
      isFinal?: true
    }

const skip = (reason: SkipReason, warnings: Warning[] = []): Decision => ({ kind: 'skip', reason, warnings })

/**
 * Decides about a pod that is being created.
 * @param received the pod as the API server sent it; it is not changed
 */
export function decide(received: unknown, surroundings: Surroundings): Decision {
  const notes = new Notes()
  const read = readPod(received)
  if (!read.ok) notes.own('malformed-pod', ...read.problems)
  else if (annotationsLength(read.value) > mostAnnotations) {
    notes.own('malformed-pod', `the pod's annotations take more than the ${mostAnnotations / 1024} KiB that the Kubernetes API allows`) // prettier-ignore
  } else {
    const left = leftAlone(read.value, surroundings)
    if (left !== undefined) return left
    const decided = inject(read.value, surroundings, notes)
    if (decided !== undefined) return decided
  }
  const [first, ...rest] = told(problemsByImportance(notes.problems))
  if (first === undefined) throw new Error('a pod was neither injected nor refused')
  return {
    kind: 'deny',
    problems: [first, ...rest],
    warnings: named(notes),
    ...(notes.isFinal ? { isFinal: true } : {}),
  }
}

/** The API server asks us before it looks itself. {@link https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/} */
const mostAnnotations = 256 * 1024

const annotationsLength = ({ metadata }: Pod): number =>
  Object.entries(metadata?.annotations ?? {}).reduce((sum, [key, value]) => sum + key.length + value.length, 0)

/** Problems or warnings of one pod that are named: each is repeated in the answer, the log and an Event. */
const mostNamed = 100
/** UTF-16 units of a sentence, which may name what a user wrote. */
const longestText = 2_000

function told(problems: Problem[]): Problem[] {
  const named = problems.slice(0, mostNamed).map(({ reason, text }) => ({ reason, text: shortened(text) }))
  const [next] = problems.slice(mostNamed)
  if (next === undefined) return named
  return [...named, { reason: next.reason, text: `and ${problems.length - mostNamed} more problems` }]
}

const named = ({ warnings }: Notes): Warning[] =>
  warningsByImportance(warnings)
    .slice(0, mostNamed)
    .map(({ reason, text }) => ({ reason, text: shortened(text) }))

const shortened = (text: string): string => (text.length <= longestText ? text : `${text.slice(0, longestText)}...`)

/** Whether there is nothing to do: the pod did not ask, or may not. */
function leftAlone(pod: Pod, { namespace }: Surroundings): Decision | undefined {
  const raw = pod.metadata?.annotations ?? {}
  const has = (name: string): boolean => Object.hasOwn(raw, annotationPrefix + name)
  if (namespace.name === 'kube-system' || namespace.labels[systemLabel] === 'true') return skip('system-namespace')
  if (Object.hasOwn(raw, 'kubernetes.io/config.mirror')) return skip('mirror-pod')
  if (raw[`${annotationPrefix}inject`]?.trim() === 'false') return skip('opted-out')
  if (pod.metadata?.labels?.[workloadIdentityLabel] !== 'true') return skip('no-label')
  if (has('objects') || has('secret-provider-class')) return undefined
  const known = Object.entries(annotations).filter(([, row]) => !('written' in row))
  const asksNothing = readAnnotations(raw).problems.length === 0
  if (!asksNothing) return undefined
  const warning = { reason: 'no-objects', text: 'annotations of the injector without objects or secret-provider-class: nothing is injected' } as const // prettier-ignore
  return skip('no-objects', known.some(([name]) => has(name)) ? [warning] : [])
}

/** The decision to inject, or nothing, and then `notes` say why not. */
function inject(pod: Pod, surroundings: Surroundings, notes: Notes): Decision | undefined {
  if (isForWindows(pod)) notes.own('windows', 'the pod is for Windows nodes, which are not supported: its secrets would never arrive') // prettier-ignore
  if (appContainers(pod).length === 0) notes.own('malformed-pod', 'the pod has no containers')
  const earlier = findEarlier(pod)
  const bare = earlier?.pod ?? pod
  const tooLarge = sizeProblems(bare)
  notes.own('too-large', ...tooLarge)
  if (tooLarge.length > 0) return undefined
  checkNames(pod, earlier, notes)
  const plan = makePlan(bare, surroundings, earlier?.settings, notes)
  if (plan === undefined) return undefined
  const wanted = desiredPod(bare, plan)
  const { limitRanges } = surroundings
  const identityBinding = plan.identity.mode === 'identity-binding'
  const desired = earlier === undefined ? wanted : keepAdditions(pod, wanted, { limitRanges, identityBinding }, notes)
  if (notes.problems.length > 0) return undefined
  if (desired === pod) {
    warnOfLateProxies(pod, notes)
    return skip('already-injected', named(notes))
  }
  return { kind: 'inject', pod: desired, settings: plan.settings, warnings: named(notes) }
}
