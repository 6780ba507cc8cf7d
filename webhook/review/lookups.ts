import type { Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import type { Cluster, LookupOptions } from '../cluster/cluster.ts'
import type { Configuration } from '../configuration/configuration.ts'
import { decide } from './decide.ts'
import type { Decided, Decision } from './decision.ts'
import { setImmediate } from 'node:timers/promises'
import { classNames } from '../plan/effective-annotations.ts'
import type { PlanInputs } from '../plan/inputs.ts'
import { ClassReadings } from '../plan/secret-provider-class/readings.ts'
import { ok, type Result } from '../../shared/result.ts'
import { asAdmitted } from '../pod/as-admitted.ts'
import { serviceAccountName, type Pod } from '../pod/pod.ts'
import { sizeProblems } from '../pod/pod-size.ts'
import { readAhead } from './read-ahead.ts'

/** Everything that reviews need, besides the request. */
export interface ReviewContext {
  cluster: Cluster
  configuration: () => Configuration
  /** The sidecar's image, which the administrator's `image` overrides. */
  image: string
  version: string
  log: Logger
  /** Called with every decision, for metrics and Events. */
  decided?: (decided: Decided) => void
  clock?: Pick<Clock, 'elapsed'>
}
/** What one review uses from its beginning to its end. */
export interface ReviewInputs {
  /** The pod as the API server sent it, or why it is malformed. */
  pod: Result<Pod>
  namespace: string
  /** Whether `pod` is the template of a workload, to which the API server has not added anything yet. */
  isTemplate?: boolean
  /** As in {@link PlanInputs}. */
  addsVariables?: boolean
  /** The configuration at the beginning of the review; a change during look-ups applies to later reviews. */
  configuration: Configuration
}

/**
 * Looks up what a decision depends on and decides: from caches first, and with live reads before a pod is denied because of cached objects.
 * @param signal aborts when the API server stops waiting
 */
export async function decideByLookups(
  inputs: ReviewInputs,
  context: ReviewContext,
  signal: AbortSignal | undefined,
): Promise<Decision> {
  const options = { ...(signal ? { signal } : {}), reads: new Map<string, Promise<unknown>>() }
  let decision: Decision | undefined
  try {
    const known = await lookUp(inputs, context, options)
    await setImmediate()
    decision = decide(expectedPod(inputs, known.value), known.value)
    // A recent annotation of a ServiceAccount or Namespace may not have reached the cache. Problems of the pod itself stay.
    if (decision.kind !== 'deny' || decision.isFinal || !known.cached) return decision
    const live = await lookUp(inputs, context, { live: true, ...options })
    return decide(expectedPod(inputs, live.value), live.value)
  } catch (error) {
    const text = `${explainFailure((error as Error).message)}; this usually passes, and controllers retry by themselves`
    const problems = decision?.kind === 'deny' ? decision.problems : []
    return { kind: 'deny', problems: [{ reason: 'unavailable', text }, ...problems], warnings: [] }
  }
}

/** Returns the pod that admission would see. One that is too large is denied as it is. */
const expectedPod = (
  { pod, isTemplate = false }: ReviewInputs,
  { serviceAccount, limitRanges }: PlanInputs,
): Result<Pod> =>
  isTemplate && pod.ok && sizeProblems(pod.value).length === 0
    ? ok(asAdmitted(pod.value, { automount: serviceAccount?.automount, limitRanges }))
    : pod

/** @param message as in `GET /api/v1/...: no answer in time` */
function explainFailure(message: string): string {
  const request = /^(\S+ \S+): no answer in time$/.exec(message)?.[1]
  return request === undefined
    ? `akv-injector could not read what the decision depends on: ${message}`
    : `the API server did not answer akv-injector in time (${request})`
}

/** Shared by all reviews, so that each version of a class is parsed once. */
const readings = new ClassReadings()

/** Reads what a decision depends on. `cached` is true if any of it came from a cache. */
export async function lookUp(
  { pod, namespace: name, configuration, addsVariables = true }: ReviewInputs,
  { cluster, image, version }: Pick<ReviewContext, 'cluster' | 'image' | 'version'>,
  options: LookupOptions,
): Promise<{ value: PlanInputs; cached: boolean }> {
  const [namespace, serviceAccount, limitRanges] = await Promise.all([
    cluster.namespace(name, options),
    pod.ok ? cluster.serviceAccount(name, serviceAccountName(pod.value), options) : undefined,
    cluster.limitRanges(name, options),
  ])
  const annotations = pod.ok ? (pod.value.metadata?.annotations ?? {}) : {}
  const onNamespace = namespace.value?.annotations ?? {}
  const names = classNames(annotations, onNamespace, configuration)
  const classes = await Promise.all(names.map((one) => cluster.secretProviderClass(name, one, options)))
  const templates = await readAhead(annotations, onNamespace, configuration)
  const found = new Map(classes.map(({ value }, index) => [names[index] ?? '', value]))
  const oldestKubelet = cluster.oldestKubelet()
  const apiServer = cluster.apiServer()
  return {
    value: {
      namespace: namespace.value ?? { name, labels: {}, annotations: {} },
      ...(serviceAccount?.value === undefined ? {} : { serviceAccount: serviceAccount.value }),
      secretProviderClasses: await readings.read(found),
      knownClasses: classes.flatMap(({ known = [] }) => known),
      limitRanges: limitRanges.value ?? [],
      templates,
      configuration,
      ...(oldestKubelet === undefined ? {} : { oldestKubelet }),
      ...(apiServer === undefined ? {} : { apiServer }),
      addsVariables,
      image,
      version,
    },
    cached: [namespace, limitRanges, serviceAccount, ...classes].some((one) => one?.cached),
  }
}
