import { requestCount, requestsOf } from '../plan/finds.ts'
import { annotationPrefix, standbyAnnotation } from '../../shared/names.ts'
import { printable } from '../../shared/printable.ts'
import type { Configuration } from '../configuration/configuration.ts'
import type { Decision } from './decision.ts'
import { nameOf, type AdmissionResponse, type Status } from './admission-review.ts'
import { patchOf } from '../inject/patch.ts'
import type { Pod } from '../pod/pod.ts'
import { helpOf, skipReasons, type DenyReason, type Problem } from '../reasons.ts'
import { isLast, type Purpose } from './decision.ts'
import type { Decided } from './decision.ts'
import { keepsTemplate } from './workloads.ts'

const maxWarnings = 10
/**
 * The API server cuts warnings at 256 characters.
 * {@link https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response}
 */
const maxWarningLength = 256
/** Characters of all keys and values together, so that the audit log stays readable. */
const maxAudit = 1024

/** Returns the response for a decision. */
export function respond(
  decided: Decided,
  { workloadTemplates }: Pick<Configuration, 'workloadTemplates'>,
): AdmissionResponse {
  const { decision, request, purpose, report } = decided
  const mayDeny =
    purpose !== 'validate' || (workloadTemplates === 'deny' && !keepsTemplate(request) && !isUndecided(decision))
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
 * Marks a pod that the standby injected. The registration sends later passes over such a pod to the standby too, because the webhook
 * itself may still not answer.
 */
function signed(pod: Pod, purpose: Purpose): Pod {
  if (isLast(purpose)) return pod
  const { [standbyAnnotation]: _before, ...annotations } = pod.metadata?.annotations ?? {}
  const mark = purpose === 'standby' ? { [standbyAnnotation]: 'standby' } : {}
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...annotations, ...mark } } }
}

/** Returns the warnings, the most important first: what would have been done if the pod stays unchanged, then the decision's warnings. */
function warningsOf({ decision, request, purpose, report }: Decided, denies: boolean): string[] {
  const texts = [...(denies ? [] : outcome()), ...decision.warnings.map(({ text }) => text)].map(short)
  return texts.length <= maxWarnings
    ? texts
    : [...texts.slice(0, maxWarnings - 1), `and ${texts.length - maxWarnings + 1} more`]

  function outcome(): string[] {
    if (decision.kind === 'deny') {
      if (purpose !== 'validate')
        return decision.problems.map(({ text }) => `akv-injector would reject the pod: ${text}`)
      return decision.problems.map(
        ({ reason, text }) =>
          `pods of ${request.kind?.kind} ${nameOf(request)} ${reason in statusCodes ? 'were not checked' : 'would be rejected'}: ${text}`,
      )
    }
    if (decision.kind === 'skip' || !report || purpose === 'validate') return []
    const { settings } = decision
    return [`akv-injector would inject a sidecar (mode ${settings.mode}) with ${requestCount(settings)}`]
  }
}

/** Omits the prefix of annotations, because space is limited. */
function short(text: string): string {
  const characters = [...printable(text.replaceAll(annotationPrefix, ''))]
  return characters.length <= maxWarningLength
    ? characters.join('')
    : `${characters.slice(0, maxWarningLength - 1).join('')}…`
}

/** Problems that a retry may solve; all others are the pod's own. */
const statusCodes: Partial<Record<DenyReason, [code: number, reason: string]>> = {
  overloaded: [429, 'TooManyRequests'],
  unavailable: [503, 'ServiceUnavailable'],
  'not-injected': [503, 'ServiceUnavailable'],
}

/**
 * Whether a denial says nothing about the pod. It must not deny a workload: people apply workloads, and do not retry as the controllers of
 * pods do.
 */
const isUndecided = (decision: Decision): boolean =>
  decision.kind === 'deny' && decision.problems[0].reason in statusCodes

function statusOf(problems: readonly [Problem, ...Problem[]], { request, purpose }: Decided): Status {
  const [code, reason] = statusCodes[problems[0].reason] ?? [400, 'BadRequest']
  const who = `${purpose === 'validate' ? request.kind?.kind : 'pod'} ${nameOf(request)} in namespace ${request.namespace ?? ''}`
  return {
    code,
    reason,
    message: `${printable(messageOf(who, problems))} ${helpOf(problems[0].reason)}`,
    details: { causes: problems.map(({ reason, text }) => ({ reason, message: printable(text) })) },
  }
}

/** All problems on one line, because `kubectl get events` shows only one. */
function messageOf(subject: string, problems: readonly [Problem, ...Problem[]]): string {
  if (problems.length === 1) return `${subject}: ${problems[0].text}`
  return `${subject} has ${problems.length} problems: ${problems.map(({ text }, index) => `(${index + 1}) ${text}`).join('; ')}`
}

/** Returns what the cluster's audit log records of a decision. */
function auditOf(decision: Decision, report: boolean): Record<string, string> {
  const entries: Record<string, string> = { decision: report ? `report-${decision.kind}` : decision.kind }
  if (decision.kind === 'inject') {
    const { settings } = decision
    entries['mode'] = settings.mode
    entries['objects'] = String(settings.objects.length)
    if (settings.find) entries['finds'] = String(settings.find.finds.length)
    entries['vaults'] = printable([...new Set(requestsOf(settings).map(({ vault }) => vault))].join(' '))
  } else if (decision.kind === 'skip') entries['reason'] = `${decision.reason}: ${skipReasons[decision.reason]}`
  else entries['reason'] = [...new Set(decision.problems.map(({ reason }) => reason))].join(' ')
  const spent = Object.entries(entries).reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  const longest = entries['vaults']
  return spent <= maxAudit || longest === undefined
    ? entries
    : { ...entries, vaults: `${longest.slice(0, maxAudit - (spent - longest.length) - 3)}...` }
}
