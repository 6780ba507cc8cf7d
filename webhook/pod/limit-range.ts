import type { Notes } from '../reasons.ts'
import { quantityOf } from './quantity.ts'
import type { Resources } from './resources.ts'

/** What a LimitRange says about a container. */
export interface ContainerLimits {
  /** Of the LimitRange. */
  name: string
  min?: Record<string, string>
  max?: Record<string, string>
  maxLimitRequestRatio?: Record<string, string>
}

/**
 * The API server would refuse the pod without saying which container or which LimitRange is meant.
 * {@link https://kubernetes.io/docs/concepts/policy/limit-range/}
 */
export function checkLimitRanges(
  ranges: readonly ContainerLimits[],
  { requests, limits }: Resources,
  notes: Notes,
): void {
  for (const { name, min = {}, max = {}, maxLimitRequestRatio = {} } of ranges) {
    const problem = (kind: string, text: string): void =>
      notes.problem(
        'resources',
        `LimitRange "${name}" allows a container ${text}: set request-${kind} and limit-${kind}`,
      )
    for (const [kind, most] of Object.entries(max)) {
      const limit = limits[kind]
      if (limit !== undefined && quantityOf(limit) > quantityOf(most))
        problem(kind, `${most} of ${kind} at most, and the sidecar's limit is ${limit}`)
    }
    for (const [kind, least] of Object.entries(min)) {
      const request = requests[kind] ?? limits[kind]
      if (request !== undefined && quantityOf(request) < quantityOf(least))
        problem(kind, `${least} of ${kind} at least, and the sidecar's request is ${request}`)
    }
    for (const [kind, ratio] of Object.entries(maxLimitRequestRatio)) {
      const [request, limit] = [requests[kind], limits[kind]]
      if (request !== undefined && limit !== undefined && quantityOf(limit) / quantityOf(request) > quantityOf(ratio))
        problem(kind, `a limit of ${kind} of at most ${ratio} times its request, and the sidecar's are ${limit} and ${request}`) // prettier-ignore
    }
  }
}
