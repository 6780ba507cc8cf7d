import type { Configuration } from '../configuration.ts'
import type { Notes } from '../reasons.ts'
import type { Values } from '../values.ts'
import { allContainers, type Container, type Pod } from './pod.ts'
import { quantityOf } from './quantity.ts'

export interface Resources {
  requests: Record<string, string>
  limits: Record<string, string>
}

const kinds = ['cpu', 'memory', 'ephemeral-storage'] as const

/** The sidecar's resources: the pod's annotations over the administrator's, and equal ones where the pod is Guaranteed. */
export function resolveResources(pod: Pod, values: Values, { resources }: Configuration, notes: Notes): Resources {
  const requests: Record<string, string> = {}
  const limits: Record<string, string> = {}
  for (const kind of kinds) {
    const request = values[`request-${kind}`] ?? resources.requests?.[kind]
    const limit = values[`limit-${kind}`] ?? resources.limits?.[kind]
    if (request !== undefined) requests[kind] = request
    if (limit !== undefined) limits[kind] = limit
    if (request !== undefined && limit !== undefined && quantityOf(request) > quantityOf(limit)) {
      notes.problem('resources', `the sidecar's ${kind} request of ${request} is more than its limit of ${limit}: set request-${kind} and limit-${kind} together`) // prettier-ignore
    }
  }
  return isGuaranteed(pod)
    ? { requests: { ...requests, ...pick(limits, 'cpu', 'memory') }, limits }
    : { requests, limits }
}

const pick = (from: Record<string, string>, ...names: string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)))

/** Whether the pod is of the class Guaranteed without us: every container has limits of both kinds, and requests no other. */
function isGuaranteed(pod: Pod): boolean {
  const containers = allContainers(pod)
  return containers.length > 0 && containers.every((container) => isFixed(container, 'cpu') && isFixed(container, 'memory')) // prettier-ignore
}

function isFixed({ resources }: Container, kind: 'cpu' | 'memory'): boolean {
  const limit = resources?.limits?.[kind]
  const request = resources?.requests?.[kind] ?? limit
  return limit !== undefined && quantityOf(limit) > 0 && quantityOf(limit) === quantityOf(request as string)
}
