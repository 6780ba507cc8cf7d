import type { Configuration } from '../configuration.ts'
import type { Notes } from '../reasons.ts'
import type { Values } from '../values.ts'
import { allContainers, appContainers, initContainers, isNativeSidecar, type Container, type Pod } from './pod.ts'
import { mebibytes, millicpus, quantityOf } from './quantity.ts'

export interface Resources {
  requests: Record<string, string>
  limits: Record<string, string>
}

/** Kinds of resources that a sidecar has. */
export const resourceKinds = ['cpu', 'memory', 'ephemeral-storage'] as const
/** What decides about a pod's quality of service, and what a pod as a whole may have. */
const podKinds = ['cpu', 'memory'] as const
type PodKind = (typeof podKinds)[number]

/**
 * The sidecar's resources: the pod's annotations over the administrator's. A Guaranteed pod stays one, and a pod with
 * resources of its own as a whole keeps them: the sidecar gets what its containers have left.
 */
export function resolveResources(pod: Pod, values: Values, { resources }: Configuration, notes: Notes): Resources {
  const requests: Record<string, string> = {}
  const limits: Record<string, string> = {}
  for (const kind of resourceKinds) {
    const request = values[`request-${kind}`] ?? resources.requests?.[kind]
    const limit = values[`limit-${kind}`] ?? resources.limits?.[kind]
    if (request !== undefined) requests[kind] = request
    if (limit !== undefined) limits[kind] = limit
    if (request !== undefined && limit !== undefined && quantityOf(request) > quantityOf(limit)) {
      notes.problem('resources', `the sidecar's ${kind} request of ${request} is more than its limit of ${limit}: set request-${kind} and limit-${kind} together`) // prettier-ignore
    }
  }
  if (pod.spec.resources !== undefined) fitIntoPod(pod, { requests, limits }, notes)
  else if (isGuaranteed(pod)) {
    for (const kind of podKinds) if (limits[kind] !== undefined) requests[kind] = limits[kind]
  }
  return { requests, limits }
}

/** Whether the pod is of the class Guaranteed without us: every container has limits of both kinds, and requests no other. */
function isGuaranteed(pod: Pod): boolean {
  const containers = allContainers(pod)
  return containers.length > 0 && containers.every((container) => isFixed(container, 'cpu') && isFixed(container, 'memory')) // prettier-ignore
}

function isFixed({ resources }: Container, kind: PodKind): boolean {
  const limit = resources?.limits?.[kind]
  const request = resources?.requests?.[kind] ?? limit
  return limit !== undefined && quantityOf(limit) > 0 && quantityOf(limit) === quantityOf(request ?? '')
}

/**
 * The API server refuses a pod whose containers request more than the pod as a whole, or one of which has a higher limit.
 * {@link https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#pod-level-resource-specification}
 */
function fitIntoPod(pod: Pod, { requests, limits }: Resources, notes: Notes): void {
  for (const kind of podKinds) {
    const podLimit = pod.spec.resources?.limits?.[kind]
    const podRequest = pod.spec.resources?.requests?.[kind] ?? podLimit
    if (podLimit !== undefined && limits[kind] !== undefined && quantityOf(limits[kind]) > quantityOf(podLimit))
      limits[kind] = String(podLimit)
    if (podRequest === undefined || requests[kind] === undefined) continue
    const left = quantityOf(podRequest) - requested(pod, kind)
    const least = kind === 'cpu' ? 0.001 : 2 ** 20
    // Sums of thousandths are off by less than that.
    if (left + 1e-9 < least) {
      notes.problem('resources', `the pod's resources.requests.${kind} of ${podRequest} leave nothing for the sidecar, which asks for ${requests[kind]}: raise them by as much`) // prettier-ignore
    } else if (quantityOf(requests[kind]) > left + 1e-9) {
      requests[kind] = kind === 'cpu' ? millicpus(left + 1e-9) : mebibytes(left)
    }
  }
}

/** What the containers that run beside each other request. */
function requested(pod: Pod, kind: PodKind): number {
  const running = [...appContainers(pod), ...initContainers(pod).filter(isNativeSidecar)]
  return running
    .map(({ resources }) => resources?.requests?.[kind] ?? resources?.limits?.[kind])
    .reduce<number>((sum, quantity) => sum + (quantity === undefined ? 0 : quantityOf(quantity) || 0), 0)
}
