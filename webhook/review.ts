import type { Logger } from '../shared/log.ts'
import { respond } from './answer.ts'
import type { Cluster, LookupOptions } from './cluster/cluster.ts'
import type { Configuration } from './configuration.ts'
import { decide, type Decision } from './decide.ts'
import { answerTo, createsPod, type AdmissionRequest, type AdmissionReview } from './envelope.ts'
import { podName, readPod, serviceAccountName, type Pod } from './pod/pod.ts'
import type { Surroundings } from './plan.ts'

/** What a review is answered with, beside the review. */
export interface ReviewContext {
  cluster: Cluster
  configuration: () => Configuration
  /** The sidecar's image, where the administrator does not say it. */
  image: string
  version: string
  log: Logger
  /** Told of every decision, for metrics and Events. */
  decided?: (decided: Decided) => void
  now?: () => number
}

/** A decision with what it was about. */
export interface Decided {
  decision: Decision
  request: AdmissionRequest
  report: boolean
  /** How long it took, in milliseconds. */
  duration: number
}

export interface ReviewOptions {
  /** Decide and tell, but change and refuse nothing. */
  report: boolean
  /** Aborts when the API server will not wait any longer. */
  signal?: AbortSignal
}

/** One AdmissionReview: look up what it rests on, decide, answer. */
export async function review(envelope: AdmissionReview, context: ReviewContext, options: ReviewOptions) {
  const { now = performance.now.bind(performance), log, decided } = context
  const started = now()
  const { request } = envelope
  const report = options.report || context.configuration().report
  const decision = await decideRequest(request, context, options.signal)
  const duration = now() - started
  logDecision(log, { decision, request, report, duration })
  decided?.({ decision, request, report, duration })
  return answerTo(envelope, respond(request, decision, report))
}

async function decideRequest(
  request: AdmissionRequest,
  context: ReviewContext,
  signal: AbortSignal | undefined,
): Promise<Decision> {
  if (!createsPod(request)) return { kind: 'skip', reason: 'not-a-pod-creation', warnings: [] }
  const bySignal = signal ? { signal } : {}
  let decision: Decision | undefined
  try {
    const known = await surroundings(request, context, bySignal)
    decision = decide(request.object, known.value)
    // A ServiceAccount or Namespace annotated a moment ago may not have reached the cache.
    if (decision.kind !== 'deny' || !known.cached) return decision
    const live = await surroundings(request, context, { live: true, ...bySignal })
    return decide(request.object, live.value)
  } catch (error) {
    const text = `what the decision rests on could not be read: ${(error as Error).message}; try again`
    const problems = decision?.kind === 'deny' ? decision.problems : []
    return { kind: 'deny', problems: [{ reason: 'unavailable', text }, ...problems], warnings: [] }
  }
}

async function surroundings(
  request: AdmissionRequest,
  { cluster, configuration, image, version }: ReviewContext,
  options: LookupOptions,
): Promise<{ value: Surroundings; cached: boolean }> {
  const pod = readPod(request.object)
  const name = request.namespace ?? ''
  const [namespace, serviceAccount] = await Promise.all([
    cluster.namespace(name, options),
    pod.ok ? cluster.serviceAccount(name, serviceAccountName(pod.value), options) : undefined,
  ])
  const oldestKubelet = cluster.oldestKubelet()
  return {
    value: {
      namespace: namespace.value ?? { name, labels: {}, annotations: {} },
      ...(serviceAccount?.value === undefined ? {} : { serviceAccount: serviceAccount.value }),
      configuration: configuration(),
      ...(oldestKubelet === undefined ? {} : { oldestKubelet }),
      image,
      version,
    },
    cached: namespace.cached || (serviceAccount?.cached ?? false),
  }
}

function logDecision(log: Logger, { decision, request, report, duration }: Decided): void {
  const fields = {
    decision: decision.kind,
    ...(decision.kind === 'skip' ? { reason: decision.reason } : {}),
    ...(decision.kind === 'deny' ? { problems: decision.problems } : {}),
    ...(decision.kind === 'inject' ? { mode: decision.settings.mode, objects: decision.settings.objects.length } : {}),
    ...(decision.warnings.length > 0 ? { warnings: decision.warnings } : {}),
    namespace: request.namespace,
    pod: podName((request.object ?? { spec: {} }) as Pod),
    uid: request.uid,
    dryRun: request.dryRun ?? false,
    ...(report ? { report } : {}),
    milliseconds: Math.round(duration * 10) / 10,
  }
  log[decision.kind === 'skip' ? 'debug' : 'info'](fields, 'review')
}
