import type { Diagnostics } from '../reasons.ts'
import type { PlanContext } from './context.ts'
import { allContainers, type Container, type Pod } from '../pod/pod.ts'
import { containerTotals, type Placement, type Resources } from './pod-totals.ts'
import { mebibytes, millicpus, printed, quantityOf, resourceKinds } from '../../shared/kubernetes/quantity.ts'

/** The resource kinds that determine a pod's quality of service class, and that a pod as a whole may specify. */
const podKinds = ['cpu', 'memory'] as const
type PodKind = (typeof podKinds)[number]

/** The sidecar's resources. */
export interface ResolvedResources extends Resources {
  /** Pod-level requests to set, by resource kind. */
  podRequests: Record<string, string>
}

/**
 * Returns the sidecar's resources: the pod's annotations override the administrator's defaults. A Guaranteed pod stays Guaranteed. In a
 * pod with pod-level resources, the sidecar gets what the other containers leave. Only requests that the API server filled in grow.
 */
export function resolveResources(
  { pod, values, configuration: { resources, knownSidecars }, diagnostics }: PlanContext,
  { mode, hasVariables }: Omit<Placement, 'knownSidecars'>,
): ResolvedResources {
  const requests: Record<string, string> = {}
  const limits: Record<string, string> = {}
  for (const kind of resourceKinds) {
    const request = values[`request-${kind}`] ?? resources.requests?.[kind]
    const limit = values[`limit-${kind}`] ?? resources.limits?.[kind]
    if (request !== undefined) requests[kind] = request
    if (limit !== undefined) limits[kind] = limit
    if (request !== undefined && limit !== undefined && quantityOf(request) > quantityOf(limit)) {
      diagnostics.problem(
        'resources',
        `the sidecar's ${kind} request of ${request} is more than its limit of ${limit}: set request-${kind} and limit-${kind} together`,
      )
    }
  }
  if (pod.spec.resources !== undefined) {
    const placement = { mode, hasVariables, knownSidecars }
    return { requests, limits, podRequests: fitIntoPod(pod, { requests, limits }, placement, diagnostics) }
  }
  if (isGuaranteed(pod)) {
    for (const kind of podKinds) if (limits[kind] !== undefined) requests[kind] = limits[kind]
  }
  return { requests, limits, podRequests: {} }
}

/** Whether the pod is Guaranteed without the sidecar: every container has limits of both kinds and equal requests. */
function isGuaranteed(pod: Pod): boolean {
  const containers = allContainers(pod)
  return (
    containers.length > 0 && containers.every((container) => isFixed(container, 'cpu') && isFixed(container, 'memory'))
  )
}

function isFixed({ resources }: Container, kind: PodKind): boolean {
  const limit = resources?.limits?.[kind]
  const request = resources?.requests?.[kind] ?? limit
  return limit !== undefined && quantityOf(limit) > 0 && quantityOf(limit) === quantityOf(request ?? '')
}

/**
 * Fits the sidecar into pod-level resources: the API server rejects a pod if its containers together request more than the pod, or if
 * a container's limit exceeds the pod's.
 * {@link https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#pod-level-resource-specification}
 * @returns the pod-level requests that have to grow
 */
function fitIntoPod(
  pod: Pod,
  { requests, limits }: Resources,
  placement: Placement,
  diagnostics: Diagnostics,
): Record<string, string> {
  const { requests: podRequests = {}, limits: podLimits = {} } = pod.spec.resources ?? {}
  const raised: Record<string, string> = {}
  for (const kind of podKinds) {
    const [podRequest, podLimit] = [podRequests[kind], podLimits[kind]]
    if (podLimit !== undefined && limits[kind] !== undefined && quantityOf(limits[kind]) > quantityOf(podLimit))
      limits[kind] = String(podLimit)
    if (requests[kind] === undefined) continue
    const total: Total = (request, hasVariables) =>
      containerTotals(pod, { requests: { [kind]: request }, limits: {} }, { ...placement, hasVariables }).requests[
        kind
      ] ?? 0
    // Before 1.37, the API server fills in requests that are missing beside pod-level limits: as much as the containers request together.
    const isFilledIn =
      podRequest !== undefined &&
      Object.keys(podLimits).length > 0 &&
      Math.abs(quantityOf(podRequest) - total('0', false)) < dust
    const field = podRequest === undefined || isFilledIn ? 'limits' : 'requests'
    const most = field === 'limits' ? podLimit : podRequest
    const left = most === undefined ? Infinity : requestLeft(requests[kind], quantityOf(most), total, placement)
    const least = kind === 'cpu' ? 0.001 : 2 ** 20
    if (left + dust < least) {
      diagnostics.problem(
        'resources',
        `the pod's resources.${field}.${kind} of ${most} leave nothing for the sidecar, which requests ${requests[kind]}: raise them by that amount`,
      )
      continue
    }
    if (quantityOf(requests[kind]) > left + dust)
      requests[kind] = kind === 'cpu' ? millicpus(left + dust) : mebibytes(left)
    const needed = total(requests[kind], placement.hasVariables)
    if (isFilledIn && needed > quantityOf(podRequest) + dust) raised[kind] = printed(kind, needed)
  }
  return raised
}

/** Rounding errors in sums of thousandths are smaller than this. */
const dust = 1e-9

/** Returns what the containers request together if the sidecar requests an amount, in CPUs or bytes. */
type Total = (request: string, hasVariables: boolean) => number

/**
 * Returns how much the sidecar can request, in CPUs or bytes, so that the containers request no more than `most` together; any amount from
 * `request` on if all of it fits.
 */
function requestLeft(request: string, most: number, total: Total, { hasVariables }: Placement): number {
  const alone = total(request, false) - most
  // The container that checks environment variables requests as much again while it runs beside a native sidecar.
  const checked = hasVariables ? (total(request, true) - most) / 2 : -Infinity
  return quantityOf(request) - Math.max(alone, checked)
}
