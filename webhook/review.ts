import { setImmediate } from 'node:timers/promises'
import { annotations as table } from '../shared/annotations.ts'
import type { Logger } from '../shared/log.ts'
import { annotationPrefix } from '../shared/names.ts'
import { respond } from './answer.ts'
import type { Cluster, LookupOptions } from './cluster/cluster.ts'
import type { Configuration } from './configuration.ts'
import { decide, type Decision } from './decide.ts'
import { answerTo, createsPod, nameOf, type AdmissionRequest, type AdmissionReview } from './envelope.ts'
import { readPod, serviceAccountName } from './pod/pod.ts'
import type { Surroundings } from './plan.ts'
import type { Problem } from './reasons.ts'
import { ClassReadings } from './secret-provider-class/readings.ts'
import { templateOf } from './templates.ts'
import { classNames } from './values.ts'

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
  purpose: Purpose
  /** Told, but nothing changed or refused. */
  report: boolean
  /** How long it took, in milliseconds. */
  duration: number
}

/**
 * `copy` reviews pods that arrive with a sidecar, before any half has injected one; `mutate` changes pods that are created, and
 * `standby` those that `mutate` has not seen; `guard` refuses those that ask and that neither has seen; `report` tells what would be
 * done to them; `validate` tells what would become of the pods of a workload that is created or changed. Each is a path of the server.
 */
export const purposes = ['copy', 'mutate', 'standby', 'guard', 'report', 'validate'] as const
export type Purpose = (typeof purposes)[number]

export interface ReviewOptions {
  purpose: Purpose
  /** Tell only, whatever the administrator's file says. */
  reportOnly?: boolean
  /** Aborts when the API server will not wait any longer. */
  signal?: AbortSignal
  /** Too many reviews are under way: this one is denied without a look. */
  overloaded?: boolean
}

/** One AdmissionReview: look up what it rests on, decide, answer. */
export async function review(
  envelope: AdmissionReview,
  context: ReviewContext,
  { purpose, reportOnly = purpose === 'report', signal, overloaded = false }: ReviewOptions,
) {
  const { now = performance.now.bind(performance), log, decided } = context
  const started = now()
  const { request } = envelope
  const configuration = context.configuration()
  const pod = purpose === 'validate' ? templateOf(request) : createsPod(request) ? request.object : undefined
  const report = reportOnly || configuration.report
  const found: Decision =
    pod === undefined
      ? { kind: 'skip', reason: purpose === 'validate' ? 'not-a-workload' : 'not-a-pod-creation', warnings: [] }
      : overloaded
        ? { kind: 'deny', problems: [tooMany], warnings: [] }
        : await decidePod(pod, request.namespace ?? '', context, signal)
  const decision = purpose === 'guard' && !report ? guarded(found) : found
  const done: Decided = { decision, request, purpose, report, duration: now() - started }
  logDecision(log, done)
  decided?.(done)
  return answerTo(envelope, respond(done, configuration))
}

/** Pods are injected before the guard sees them: this one's time is over. */
const guarded = (decision: Decision): Decision =>
  decision.kind === 'inject' ? { kind: 'deny', problems: [notInjected], warnings: [] } : decision

const notInjected: Problem = {
  reason: 'not-injected',
  text: 'it asks for secrets and has no sidecar: akv-injector and its standby did not answer, or were not asked as another webhook changed the pod after them; try again', // prettier-ignore
}
const tooMany: Problem = { reason: 'overloaded', text: 'too many reviews are under way at once: try again' }

async function decidePod(
  pod: unknown,
  namespace: string,
  context: ReviewContext,
  signal: AbortSignal | undefined,
): Promise<Decision> {
  const bySignal = { ...(signal ? { signal } : {}), reads: new Map<string, Promise<unknown>>() }
  let decision: Decision | undefined
  try {
    const known = await surroundings(pod, namespace, context, bySignal)
    decision = decide(pod, known.value)
    // A ServiceAccount or Namespace annotated a moment ago may not have reached the cache. What is wrong with the pod itself stays.
    if (decision.kind !== 'deny' || decision.isFinal || !known.cached) return decision
    const live = await surroundings(pod, namespace, context, { live: true, ...bySignal })
    return decide(pod, live.value)
  } catch (error) {
    const text = `what the decision rests on could not be read: ${(error as Error).message}; try again`
    const problems = decision?.kind === 'deny' ? decision.problems : []
    return { kind: 'deny', problems: [{ reason: 'unavailable', text }, ...problems], warnings: [] }
  }
}

/** Shared by all reviews: classes are read once in each version. */
const readings = new ClassReadings()

/** A text from this length on is read on a turn of its own of the event loop, before the decision, which finds it read. */
const longText = 4 * 1024

async function readAhead(annotations: Record<string, string>): Promise<void> {
  const text = annotations[`${annotationPrefix}objects`] ?? ''
  if (text.length < longText) return
  table.objects.parse(text)
  await setImmediate()
}

async function surroundings(
  received: unknown,
  name: string,
  { cluster, configuration, image, version }: ReviewContext,
  options: LookupOptions,
): Promise<{ value: Surroundings; cached: boolean }> {
  const pod = readPod(received)
  const [namespace, serviceAccount, limitRanges] = await Promise.all([
    cluster.namespace(name, options),
    pod.ok ? cluster.serviceAccount(name, serviceAccountName(pod.value), options) : undefined,
    cluster.limitRanges(name, options),
  ])
  const annotations = pod.ok ? (pod.value.metadata?.annotations ?? {}) : {}
  const names = classNames(annotations, namespace.value?.annotations ?? {}, configuration())
  const classes = await Promise.all(names.map((one) => cluster.secretProviderClass(name, one, options)))
  await readAhead(annotations)
  await readAhead(namespace.value?.annotations ?? {})
  const found = new Map(classes.map(({ value }, index) => [names[index] ?? '', value]))
  const oldestKubelet = cluster.oldestKubelet()
  return {
    value: {
      namespace: namespace.value ?? { name, labels: {}, annotations: {} },
      ...(serviceAccount?.value === undefined ? {} : { serviceAccount: serviceAccount.value }),
      secretProviderClasses: await readings.read(found),
      limitRanges: limitRanges.value ?? [],
      configuration: configuration(),
      ...(oldestKubelet === undefined ? {} : { oldestKubelet }),
      image,
      version,
    },
    cached: [namespace, limitRanges, serviceAccount, ...classes].some((one) => one?.cached),
  }
}

function logDecision(log: Logger, { decision, request, purpose, report, duration }: Decided): void {
  const fields = {
    decision: decision.kind,
    ...(decision.kind === 'skip' ? { reason: decision.reason } : {}),
    ...(decision.kind === 'deny' ? { problems: decision.problems } : {}),
    ...(decision.kind === 'inject' ? { mode: decision.settings.mode, objects: decision.settings.objects.length } : {}),
    ...(decision.warnings.length > 0 ? { warnings: decision.warnings } : {}),
    ...(purpose === 'mutate' || purpose === 'report' ? {} : { purpose }),
    ...(report ? { report } : {}),
    namespace: request.namespace,
    kind: request.kind?.kind,
    name: nameOf(request),
    uid: request.uid,
    dryRun: request.dryRun ?? false,
    milliseconds: Math.round(duration * 10) / 10,
  }
  log[decision.kind === 'skip' ? 'debug' : 'info'](fields, 'review')
}
