import type { Mode } from './mode.ts'
import { sidecarIndex } from './order.ts'
import { appContainers, initContainers, isNativeSidecar, type Container, type Pod } from '../pod/pod.ts'
import { quantityOf, resourceKinds } from '../../shared/kubernetes/quantity.ts'

/** Of a container, by resource kind. */
export interface Resources {
  requests: Record<string, string>
  limits: Record<string, string>
}

/** CPUs or bytes by resource kind. */
type Amounts = Record<string, number>

export interface Totals {
  requests: Amounts
  limits: Amounts
}

/** What decides which containers the sidecar runs beside. */
export interface Placement {
  mode: Mode
  hasVariables: boolean
  knownSidecars: readonly string[]
}

/**
 * Returns the requests and limits of a whole pod with its sidecar, as the API server counts them. Pod-level resources take precedence over
 * {@link containerTotals}.
 */
export function podTotals(pod: Pod, sidecar: Resources, placement: Placement): Totals {
  const { requests, limits } = containerTotals(pod, sidecar, placement)
  const { resources } = pod.spec
  return {
    requests: { ...requests, ...amounts(resources?.requests) },
    limits: { ...limits, ...amounts(resources?.limits) },
  }
}

/**
 * Returns the requests and limits of all containers of a pod and its sidecar, as the API server counts them: containers that run at the
 * same time are added up, and an init container only adds to the native sidecars before it.
 * {@link https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers}
 */
export function containerTotals(
  pod: Pod,
  sidecar: Resources,
  { mode, hasVariables, knownSidecars }: Placement,
): Totals {
  const injected = { name: 'sidecar', resources: sidecar }
  const others = initContainers(pod)
  const init = others.toSpliced(
    sidecarIndex(others, knownSidecars),
    0,
    mode === 'native' ? { ...injected, restartPolicy: 'Always' } : injected,
    // The container that checks environment variables.
    ...(hasVariables ? [injected] : []),
  )
  const apps = [...appContainers(pod), ...(mode === 'classic' ? [injected] : [])]
  return { requests: together(init, apps, 'requests'), limits: together(init, apps, 'limits') }
}

function together(init: readonly Container[], apps: readonly Container[], field: keyof Totals): Amounts {
  let native: Amounts = {}
  let starting: Amounts = {}
  for (const container of init) {
    const own = sum(native, amountsOf(container, field))
    if (isNativeSidecar(container)) native = own
    starting = most(starting, own)
  }
  const running = apps.reduce((before, container) => sum(before, amountsOf(container, field)), native)
  return most(starting, running)
}

/** A request that is missing is the container's limit. */
const amountsOf = ({ resources }: Container, field: keyof Totals): Amounts => ({
  ...amounts(resources?.limits),
  ...(field === 'requests' ? amounts(resources?.requests) : {}),
})

/** Only the kinds that a sidecar has: containers may name any number of others, which the sidecar does not change. */
const amounts = (quantities: Record<string, string | number> = {}): Amounts =>
  Object.fromEntries(
    resourceKinds.flatMap((kind) => {
      const quantity = Object.hasOwn(quantities, kind) ? quantities[kind] : undefined
      return quantity === undefined ? [] : [[kind, quantityOf(quantity)] as const]
    }),
  )

const combine = (a: Amounts, b: Amounts, how: (x: number, y: number) => number): Amounts =>
  Object.fromEntries(Object.keys({ ...a, ...b }).map((kind) => [kind, how(a[kind] ?? 0, b[kind] ?? 0)]))
const sum = (a: Amounts, b: Amounts): Amounts => combine(a, b, (x, y) => x + y)
const most = (a: Amounts, b: Amounts): Amounts => combine(a, b, Math.max)
