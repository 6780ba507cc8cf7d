import type { Diagnostics } from '../reasons.ts'
import type { PlanContext } from './context.ts'
import { allContainers, type Container, type Pod } from '../pod/pod.ts'
import { containerTotals, type Placement, type Resources } from './pod-totals.ts'
import { mebibytes, millicpus, quantityOf, resourceKinds } from '../../shared/kubernetes/quantity.ts'

/** The resource kinds that determine a pod's quality of service class, and that a pod as a whole may specify. */
const podKinds = ['cpu', 'memory'] as const
type PodKind = (typeof podKinds)[number]

/**
 * Returns the sidecar's resources: the pod's annotations override the administrator's defaults. A Guaranteed pod stays Guaranteed. A pod
 * with pod-level resources keeps them, and the sidecar gets what the other containers leave.
 */
export function resolveResources(
  { pod, values, configuration: { resources, knownSidecars }, diagnostics }: PlanContext,
  { mode, hasVariables }: Omit<Placement, 'knownSidecars'>,
): Resources {
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
  if (pod.spec.resources !== undefined)
    fitIntoPod(pod, { requests, limits }, { mode, hasVariables, knownSidecars }, diagnostics)
  else if (isGuaranteed(pod)) {
    for (const kind of podKinds) if (limits[kind] !== undefined) requests[kind] = limits[kind]
  }
  return { requests, limits }
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
 */
function fitIntoPod(pod: Pod, { requests, limits }: Resources, placement: Placement, diagnostics: Diagnostics): void {
  for (const kind of podKinds) {
    const podLimit = pod.spec.resources?.limits?.[kind]
    const podRequest = pod.spec.resources?.requests?.[kind] ?? podLimit
    if (podLimit !== undefined && limits[kind] !== undefined && quantityOf(limits[kind]) > quantityOf(podLimit))
      limits[kind] = String(podLimit)
    if (podRequest === undefined || requests[kind] === undefined) continue
    const left = requestLeft(pod, requests[kind], kind, quantityOf(podRequest), placement)
    const least = kind === 'cpu' ? 0.001 : 2 ** 20
    // Rounding errors in sums of thousandths are smaller than this.
    if (left + 1e-9 < least) {
      diagnostics.problem(
        'resources',
        `the pod's resources.requests.${kind} of ${podRequest} leave nothing for the sidecar, which requests ${requests[kind]}: raise them by that amount`,
      )
    } else if (quantityOf(requests[kind]) > left + 1e-9) {
      requests[kind] = kind === 'cpu' ? millicpus(left + 1e-9) : mebibytes(left)
    }
  }
}

/**
 * Returns how much the sidecar can request, in CPUs or bytes, so that the containers request no more than `most` together; any amount from
 * `request` on if all of it fits.
 */
function requestLeft(pod: Pod, request: string, kind: PodKind, most: number, placement: Placement): number {
  const over = (hasVariables: boolean): number =>
    (containerTotals(pod, { requests: { [kind]: request }, limits: {} }, { ...placement, hasVariables }).requests[
      kind
    ] ?? 0) - most
  // The container that checks environment variables requests as much again while it runs beside a native sidecar.
  return quantityOf(request) - Math.max(over(false), placement.hasVariables ? over(true) / 2 : -Infinity)
}
