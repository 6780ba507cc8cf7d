import { annotationPrefix, standbyAnnotation } from '../shared/names.ts'
import { printable } from '../shared/printable.ts'
import type { Configuration } from './configuration.ts'
import type { Decision } from './decide.ts'
import { nameOf, type AdmissionResponse, type Status } from './envelope.ts'
import { patchOf } from './patch.ts'
import type { Pod } from './pod/pod.ts'
import { skipReasons, type DenyReason, type Problem } from './reasons.ts'
import type { Decided, Purpose } from './review.ts'
import { keepsTemplate } from './templates.ts'

const maxWarnings = 10
const maxWarningLength = 120
/** The API server cuts a warning at 256 characters. A problem that is told as a warning gets that room. */
const maxProblemLength = 250
/** Of all keys and values together, so that the audit log stays readable. */
const maxAudit = 1024

/** The response that a decision comes to. */
export function respond(
  decided: Decided,
  { workloadTemplates }: Pick<Configuration, 'workloadTemplates'>,
): AdmissionResponse {
  const { decision, request, purpose, report } = decided
  const mayDeny = purpose !== 'validate' || (workloadTemplates === 'deny' && !keepsTemplate(request))
  const denies = decision.kind === 'deny' && !report && mayDeny
  const warnings = warningsOf(decided, denies)
  const response: AdmissionResponse = {
    uid: request.uid,
    allowed: !denies,
    ...(warnings.length > 0 ? { warnings } : {}),
    auditAnnotations: auditOf(decision, report),
  }
  if (denies) return { ...response, status: statusOf(decision.problems, decided) }
  if (decision.kind !== 'inject' || report || purpose === 'validate') return response
  const patch = patchOf(request.object as Pod, signed(decision.pod, purpose))
  return { ...response, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
}

/**
 * The pod as whoever injects it leaves it. The registration sends later passes over the standby's to the standby too, for the
 * webhook itself may still not answer.
 */
function signed(pod: Pod, purpose: Purpose): Pod {
  const { [standbyAnnotation]: _before, ...annotations } = pod.metadata?.annotations ?? {}
  const mark = purpose === 'standby' ? { [standbyAnnotation]: 'standby' } : {}
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...annotations, ...mark } } }
}

/**
 * Whether an answer is one that the other half may be able to better: the API server goes on to it where the call fails, whereas
 * a denial is final.
 */
export const passesOn = (purpose: Purpose, { status }: AdmissionResponse): boolean =>
  purpose === 'mutate' && [429, 503].includes(status?.code ?? 0)

/** What is questionable, after what would have been done where nothing is: the most important first. */
function warningsOf({ decision, request, purpose, report }: Decided, denies: boolean): string[] {
  const questionable = decision.warnings.map(({ text }) => short(text, maxWarningLength))
  const texts = [...(denies ? [] : untold()), ...questionable]
  return texts.length <= maxWarnings
    ? texts
    : [...texts.slice(0, maxWarnings - 1), `and ${texts.length - maxWarnings + 1} more`]

  function untold(): string[] {
    if (decision.kind === 'deny') {
      const who = purpose === 'validate' ? `pods of ${request.kind?.kind} ${nameOf(request)} would be refused` : 'akv-injector would refuse' // prettier-ignore
      return decision.problems.map(({ text }) => short(`${who}: ${text}`, maxProblemLength))
    }
    if (decision.kind === 'skip' || !report || purpose === 'validate') return []
    const { objects, mode } = decision.settings
    return [`akv-injector would inject a sidecar (mode ${mode}) with ${objects.length} object${objects.length === 1 ? '' : 's'}`] // prettier-ignore
  }
}

/** Annotations without the prefix, for the room is little. */
function short(text: string, length: number): string {
  const characters = [...printable(text.replaceAll(annotationPrefix, ''))]
  return characters.length <= length ? characters.join('') : `${characters.slice(0, length - 1).join('')}…`
}

/** Those that another try may cure. Whatever else is wrong is the pod's, and stays. */
const statusCodes: Partial<Record<DenyReason, [code: number, reason: string]>> = {
  overloaded: [429, 'TooManyRequests'],
  unavailable: [503, 'ServiceUnavailable'],
  'not-injected': [503, 'ServiceUnavailable'],
}

function statusOf(problems: readonly [Problem, ...Problem[]], { request, purpose }: Decided): Status {
  const [code, reason] = statusCodes[problems[0].reason] ?? [400, 'BadRequest']
  const who = `${purpose === 'validate' ? request.kind?.kind : 'pod'} ${nameOf(request)} in namespace ${request.namespace ?? ''}` // prettier-ignore
  return {
    code,
    reason,
    message: printable(messageOf(who, problems)),
    details: { causes: problems.map(({ reason, text }) => ({ reason, message: printable(text) })) },
  }
}

/** All problems on one line: `kubectl get events` shows no other. */
function messageOf(subject: string, problems: readonly [Problem, ...Problem[]]): string {
  if (problems.length === 1) return `${subject}: ${problems[0].text}`
  return `${subject} has ${problems.length} problems: ${problems.map(({ text }, index) => `(${index + 1}) ${text}`).join('; ')}`
}

/** What the cluster's audit log keeps of a decision. */
function auditOf(decision: Decision, report: boolean): Record<string, string> {
  const entries: Record<string, string> = { decision: report ? `report-${decision.kind}` : decision.kind }
  if (decision.kind === 'inject') {
    const { objects, mode } = decision.settings
    entries['mode'] = mode
    entries['objects'] = String(objects.length)
    entries['vaults'] = printable([...new Set(objects.map(({ vault }) => vault))].join(' '))
  } else if (decision.kind === 'skip') entries['reason'] = `${decision.reason}: ${skipReasons[decision.reason]}`
  else entries['reason'] = [...new Set(decision.problems.map(({ reason }) => reason))].join(' ')
  const spent = Object.entries(entries).reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  const longest = entries['vaults']
  return spent <= maxAudit || longest === undefined
    ? entries
    : { ...entries, vaults: `${longest.slice(0, maxAudit - (spent - longest.length) - 3)}...` }
}
