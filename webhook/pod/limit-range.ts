import type { Notes } from '../reasons.ts'
import { printed, quantityOf } from './quantity.ts'
import { resourceKinds, type Resources } from './resources.ts'
import type { Totals } from './totals.ts'

/** What a LimitRange says about a container, or about a pod as a whole. */
export interface Limits {
  /** Of the LimitRange. */
  name: string
  type: 'Container' | 'Pod'
  min?: Record<string, string>
  max?: Record<string, string>
  maxLimitRequestRatio?: Record<string, string>
  /** What a container without limits of its own gets. */
  default?: Record<string, string>
  /** What a container without requests of its own gets. */
  defaultRequest?: Record<string, string>
}

/** Of a namespace, which may hold any number; the API server itself looks at all of them. */
const mostRanges = 100

/** The entries of the kinds that a sidecar has. */
const ofSidecar = (quantities: Record<string, string>): [kind: string, quantity: string][] =>
  resourceKinds.flatMap((kind) => {
    const quantity = Object.hasOwn(quantities, kind) ? quantities[kind] : undefined
    return quantity === undefined ? [] : [[kind, quantity]]
  })

/**
 * The API server would refuse the pod without saying which container or which LimitRange is meant.
 * {@link https://kubernetes.io/docs/concepts/policy/limit-range/}
 * @param totals of the pod with its sidecar
 */
export function checkLimitRanges(ranges: readonly Limits[], sidecar: Resources, totals: Totals, notes: Notes): void {
  for (const range of ranges.slice(0, mostRanges)) {
    if (range.type === 'Container') checkContainer(range, sidecar, notes)
    else checkPod(range, totals, notes)
  }
}

function checkContainer(
  { name, min = {}, max = {}, maxLimitRequestRatio = {} }: Limits,
  { requests, limits }: Resources,
  notes: Notes,
): void {
  // prettier-ignore
  const problem = (kind: string, text: string): void =>
    notes.problem('resources', `LimitRange "${name}" allows a container ${text}: set request-${kind} and limit-${kind}`)
  for (const [kind, most] of ofSidecar(max)) {
    const limit = limits[kind]
    if (limit !== undefined && quantityOf(limit) > quantityOf(most))
      problem(kind, `${most} of ${kind} at most, and the sidecar's limit is ${limit}`)
  }
  for (const [kind, least] of ofSidecar(min)) {
    const request = requests[kind] ?? limits[kind]
    if (request !== undefined && quantityOf(request) < quantityOf(least))
      problem(kind, `${least} of ${kind} at least, and the sidecar's request is ${request}`)
  }
  for (const [kind, ratio] of ofSidecar(maxLimitRequestRatio)) {
    const [request, limit] = [requests[kind], limits[kind]]
    if (request !== undefined && limit !== undefined && quantityOf(limit) / quantityOf(request) > quantityOf(ratio))
      problem(kind, `a limit of ${kind} of at most ${ratio} times its request, and the sidecar's are ${limit} and ${request}`) // prettier-ignore
  }
}

/** Sums of thousandths are off by less. */
const dust = 1 + 1e-9

/** A kind that the pod does without is the API server's to tell: it would have refused the pod without a sidecar, too. */
function checkPod(
  { name, min = {}, max = {}, maxLimitRequestRatio = {} }: Limits,
  { requests, limits }: Totals,
  notes: Notes,
): void {
  // prettier-ignore
  const problem = (allowed: string, found: string, advice: string): void =>
    notes.problem('resources', `LimitRange "${name}" allows a pod ${allowed}, and with the sidecar ${found}: ${advice}`)
  const less = (kind: string): string => `set request-${kind} and limit-${kind}, or lower those of the other containers`
  for (const [kind, most] of ofSidecar(max)) {
    const limit = limits[kind]
    if (limit !== undefined && limit > quantityOf(most) * dust)
      problem(`${most} of ${kind} at most`, `its limits come to ${printed(kind, limit)}`, less(kind))
  }
  for (const [kind, least] of ofSidecar(min)) {
    const limit = limits[kind]
    // Containers without a limit do not count: the sidecar's may be the only one.
    if (limit !== undefined && limit * dust < quantityOf(least))
      problem(
        `a limit of ${least} of ${kind} at least`,
        `its limits come to ${printed(kind, limit)}`,
        'give every container one',
      )
  }
  for (const [kind, ratio] of ofSidecar(maxLimitRequestRatio)) {
    const [request, limit] = [requests[kind], limits[kind]]
    if (request !== undefined && limit !== undefined && limit > request * quantityOf(ratio) * dust)
      problem(`limits of ${kind} of at most ${ratio} times its requests`, `they come to ${printed(kind, limit)} and ${printed(kind, request)}`, less(kind)) // prettier-ignore
  }
}
