import { annotationPrefix } from '../shared/names.ts'
import type { Decision } from './decide.ts'
import type { AdmissionRequest, AdmissionResponse, Status } from './envelope.ts'
import { patchOf } from './patch.ts'
import { podName, type Pod } from './pod/pod.ts'
import { skipReasons, type Problem } from './reasons.ts'

/** The API server shows so much. Measured: it cuts a warning at 256 characters and all of them at 4,096. */
const maxWarnings = 10
const maxWarningLength = 120
/** Of all keys and values together, so that the audit log stays readable. */
const maxAudit = 1024

/**
 * The response that a decision comes to.
 * @param report where nothing is changed or refused, but told
 */
export function respond(request: AdmissionRequest, decision: Decision, report: boolean): AdmissionResponse {
  const told = decision.warnings.map(({ text }) => text)
  const warnings = cutWarnings(report ? [...reportOf(decision), ...told] : told)
  const response: AdmissionResponse = {
    uid: request.uid,
    allowed: report || decision.kind !== 'deny',
    ...(warnings.length > 0 ? { warnings } : {}),
    auditAnnotations: auditOf(decision, report),
  }
  if (report) return response
  if (decision.kind === 'deny') return { ...response, status: statusOf(decision.problems, request) }
  if (decision.kind === 'skip') return response
  const patch = patchOf(request.object as Pod, decision.pod)
  if (patch.length === 0) return response
  return { ...response, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
}

/** What would have been done. */
function reportOf(decision: Decision): string[] {
  if (decision.kind === 'deny') return decision.problems.map(({ text }) => `akv-injector would refuse: ${text}`)
  if (decision.kind === 'skip') return []
  const { objects, mode } = decision.settings
  return [`akv-injector would inject a sidecar (mode ${mode}) with ${objects.length} object${objects.length === 1 ? '' : 's'}`] // prettier-ignore
}

/** Annotations without the prefix: the room is short. */
function cutWarnings(texts: string[]): string[] {
  const short = texts.map((text) => {
    const characters = [...text.replaceAll(annotationPrefix, '')]
    return characters.length <= maxWarningLength ? characters.join('') : `${characters.slice(0, maxWarningLength - 1).join('')}…` // prettier-ignore
  })
  if (short.length <= maxWarnings) return short
  return [...short.slice(0, maxWarnings - 1), `and ${short.length - maxWarnings + 1} more`]
}

function statusOf(problems: readonly [Problem, ...Problem[]], request: AdmissionRequest): Status {
  const [{ reason }] = problems
  const unavailable = reason === 'unavailable'
  const name = podName((request.object ?? { spec: {} }) as Pod)
  return {
    code: unavailable ? 503 : 400,
    reason: unavailable ? 'ServiceUnavailable' : 'BadRequest',
    message: messageOf(`pod ${name} in namespace ${request.namespace ?? ''}`, problems),
    details: { causes: problems.map(({ reason, text }) => ({ reason, message: text })) },
  }
}

/** All problems in one text: on one line where it is one, else a line for each. */
export function messageOf(subject: string, problems: readonly Problem[]): string {
  const [first, ...rest] = problems.map(({ text }) => text)
  if (rest.length === 0) return `${subject}: ${first}`
  return [`${subject} has ${problems.length} problems:`, ...problems.map(({ text }) => `- ${text}`)].join('\n')
}

/** What the cluster's audit log keeps of a decision. */
function auditOf(decision: Decision, report: boolean): Record<string, string> {
  const entries: Record<string, string> = { decision: report ? `report-${decision.kind}` : decision.kind }
  if (decision.kind === 'inject') {
    const { objects, mode } = decision.settings
    entries['mode'] = mode
    entries['objects'] = String(objects.length)
    entries['vaults'] = [...new Set(objects.map(({ vault }) => vault))].join(' ')
  } else if (decision.kind === 'skip') entries['reason'] = `${decision.reason}: ${skipReasons[decision.reason]}`
  else entries['reason'] = [...new Set(decision.problems.map(({ reason }) => reason))].join(' ')
  const spent = Object.entries(entries).reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  const longest = entries['vaults']
  return spent <= maxAudit || longest === undefined
    ? entries
    : { ...entries, vaults: `${longest.slice(0, maxAudit - (spent - longest.length) - 3)}...` }
}
