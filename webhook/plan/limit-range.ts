import type { Diagnostics } from '../reasons.ts'
import { containerDefaults, withDefaults } from '../pod/as-admitted.ts'
import type { PlanContext } from './context.ts'
import type { Mode } from './mode.ts'
import { printed, quantityOf, resourceKinds } from '../../shared/kubernetes/quantity.ts'
import { podTotals, type Resources, type Totals } from './pod-totals.ts'
import type { Limits } from '../../shared/kubernetes/limit-range.ts'

/** A namespace may hold any number of LimitRanges; more than this many entries are left to the API server. */
const mostRanges = 100

/** Returns the entries for resource kinds that a sidecar has. */
const ofSidecar = (quantities: Record<string, string>): [kind: string, quantity: string][] =>
  resourceKinds.flatMap((kind) => {
    const quantity = Object.hasOwn(quantities, kind) ? quantities[kind] : undefined
    return quantity === undefined ? [] : [[kind, quantity]]
  })

/**
 * Checks the pod against the namespace's LimitRanges, because the API server's error names neither the container nor the LimitRange.
 * {@link https://kubernetes.io/docs/concepts/policy/limit-range/}
 * It fills in their defaults after the injection, in the sidecar too.
 */
export function checkLimitRanges(
  { pod, configuration: { knownSidecars }, diagnostics }: PlanContext,
  ranges: readonly Limits[],
  { resources, mode, hasVariables }: { resources: Resources; mode: Mode; hasVariables: boolean },
): void {
  const defaults = containerDefaults(ranges)
  const sidecar = withDefaults(resources, defaults)
  const totals = podTotals(pod, sidecar, { mode, hasVariables, knownSidecars })
  checkDefaults(resources, defaults.limits, diagnostics)
  for (const range of ranges.slice(0, mostRanges)) {
    if (range.type === 'Container') checkContainer(range, sidecar, diagnostics)
    else checkPod(range, totals, diagnostics)
  }
}

function checkDefaults(
  { requests, limits }: Resources,
  defaults: Record<string, string>,
  diagnostics: Diagnostics,
): void {
  for (const [kind, limit] of ofSidecar(defaults)) {
    const request = requests[kind]
    if (limits[kind] === undefined && request !== undefined && quantityOf(request) > quantityOf(limit))
      diagnostics.problem(
        'resources',
        `a LimitRange gives containers a limit of ${kind} of ${limit} by default, and the sidecar's request is ${request}: set request-${kind} and limit-${kind}`,
      )
  }
}

function checkContainer(
  { name, min = {}, max = {}, maxLimitRequestRatio = {} }: Limits,
  { requests, limits }: Resources,
  diagnostics: Diagnostics,
): void {
  const problem = (kind: string, text: string): void =>
    diagnostics.problem(
      'resources',
      `LimitRange "${name}" allows a container ${text}: set request-${kind} and limit-${kind}`,
    )
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
      problem(
        kind,
        `a limit of ${kind} of at most ${ratio} times its request, and the sidecar's are ${limit} and ${request}`,
      )
  }
}

/** Rounding errors in sums of thousandths are smaller than this factor. */
const dust = 1 + 1e-9

/** Skips resource kinds that the pod lacks: the API server would reject the pod without a sidecar too. */
function checkPod(
  { name, min = {}, max = {}, maxLimitRequestRatio = {} }: Limits,
  { requests, limits }: Totals,
  diagnostics: Diagnostics,
): void {
  const problem = (allowed: string, found: string, advice: string): void =>
    diagnostics.problem(
      'resources',
      `LimitRange "${name}" allows a pod ${allowed}, and with the sidecar ${found}: ${advice}`,
    )
  const less = (kind: string): string => `set request-${kind} and limit-${kind}, or lower those of the other containers`
  for (const [kind, most] of ofSidecar(max)) {
    const limit = limits[kind]
    if (limit !== undefined && limit > quantityOf(most) * dust)
      problem(`${most} of ${kind} at most`, `its limits come to ${printed(kind, limit)}`, less(kind))
  }
  for (const [kind, least] of ofSidecar(min)) {
    const limit = limits[kind]
    // Containers without a limit do not count, so the sidecar's limit may be the only one.
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
      problem(
        `limits of ${kind} of at most ${ratio} times its requests`,
        `they come to ${printed(kind, limit)} and ${printed(kind, request)}`,
        less(kind),
      )
  }
}
