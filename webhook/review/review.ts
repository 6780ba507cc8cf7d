import type { Settings } from '../../shared/settings/codec.ts'
import { realClock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import type { Result } from '../../shared/result.ts'
import { allContainers, readPod, type Pod } from '../pod/pod.ts'
import { isOwn } from '../pod/previous-injection.ts'
import type { Problem } from '../reasons.ts'
import { answerTo, createsPod, nameOf, type AdmissionReview } from './admission-review.ts'
import { addsVariables, isGuard, type Decided, type Decision, type Guard, type Purpose } from './decision.ts'
import { decideByLookups, type ReviewContext } from './lookups.ts'
import { respond } from './response.ts'
import { templateOf } from './workloads.ts'

export interface ReviewOptions {
  purpose: Purpose
  /** Only report, whatever the administrator configured. */
  reportOnly?: boolean
  /** Aborts when the API server stops waiting. */
  signal?: AbortSignal
  /** Set if more reviews than this are under way; this one is then denied without a decision. */
  overloadedAt?: number | undefined
}

/** Reviews one AdmissionReview: looks up, decides, responds. */
export async function review(
  envelope: AdmissionReview,
  context: ReviewContext,
  { purpose, reportOnly = purpose === 'report', signal, overloadedAt }: ReviewOptions,
) {
  const { clock = realClock, log, decided } = context
  const started = clock.elapsed()
  const { request } = envelope
  const configuration = context.configuration()
  const received = purpose === 'validate' ? templateOf(request) : createsPod(request) ? request.object : undefined
  const pod = received === undefined ? undefined : readPod(received)
  const report = reportOnly || configuration.report
  const found: Decision =
    pod === undefined
      ? { kind: 'skip', reason: purpose === 'validate' ? 'not-a-workload' : 'not-a-pod-creation', warnings: [] }
      : overloadedAt !== undefined
        ? { kind: 'deny', problems: [tooMany(overloadedAt)], warnings: [] }
        : await decideByLookups(
            {
              pod,
              namespace: request.namespace ?? '',
              configuration,
              isTemplate: purpose === 'validate',
              addsVariables: addsVariables(purpose),
            },
            context,
            signal,
          )
  const decision = isGuard(purpose) && !report ? guarded(found, purpose, pod) : found
  const done: Decided = {
    decision,
    request,
    pod: pod?.ok ? pod.value : undefined,
    purpose,
    report,
    durationMs: clock.elapsed() - started,
  }
  logDecision(log, done)
  decided?.(done)
  return answerTo(envelope, respond(done, configuration))
}

/** Denies a pod that should have been injected, or injected again, before the guard was called. */
function guarded(decision: Decision, guard: Guard, pod: Result<Pod> | undefined): Decision {
  if (decision.kind !== 'inject') return decision
  const hasSidecar = guard === 'guard' && pod?.ok && allContainers(pod.value).some(isOwn)
  const text = hasSidecar ? noVariables : notInjected[guard]
  return { kind: 'deny', problems: [{ reason: 'not-injected', text }], warnings: [] }
}

const notInjected = {
  guard:
    'no akv-injector webhook answered, and without a sidecar the pod would start without its secrets: check `kubectl get pods -n akv-injector-system`; if akv-injector and its standby run, another webhook adds the annotations later: order it first',
  'copy-guard':
    'the sidecar of the pod differs from what akv-injector would inject today, and the standby did not answer the request to inject it again: retry, or remove the sidecar from the pod',
} satisfies Record<Guard, string>
const noVariables =
  'the pod has its sidecar but not the environment variables of the annotation env: check that MutatingWebhookConfiguration zz-akv-injector-env exists and `kubectl get pods -n akv-injector-system`, then retry'
const tooMany = (limit: number): Problem => ({
  reason: 'overloaded',
  text: `akv-injector has more than ${limit} reviews under way, and controllers retry by themselves; if it lasts, add replicas to Deployment akv-injector`,
})

const requested = ({ mode, objects, find }: Settings) => ({
  mode,
  objects: objects.length,
  ...(find && { finds: find.finds.length }),
})

function logDecision(log: Logger, { decision, request, purpose, report, durationMs }: Decided): void {
  const fields = {
    decision: decision.kind,
    ...(decision.kind === 'skip' ? { reason: decision.reason } : {}),
    ...(decision.kind === 'deny' ? { problems: decision.problems } : {}),
    ...(decision.kind === 'inject' ? requested(decision.settings) : {}),
    ...(decision.warnings.length > 0 ? { warnings: decision.warnings } : {}),
    ...(purpose === 'mutate' || purpose === 'report' ? {} : { purpose }),
    ...(report ? { report } : {}),
    namespace: request.namespace,
    kind: request.kind?.kind,
    name: nameOf(request),
    uid: request.uid,
    dryRun: request.dryRun ?? false,
    milliseconds: Math.round(durationMs * 10) / 10,
  }
  log[decision.kind === 'skip' ? 'debug' : 'info'](fields, 'review')
}
