import type { Mode } from './mode.ts'
import { appContainers, initContainers, isNativeSidecar, type Container, type Pod } from '../pod/pod.ts'
import { quantityOf, resourceKinds } from '../../shared/kubernetes/quantity.ts'
import type { Resources } from './resources.ts'

/** CPUs or bytes by resource kind. */
type Amounts = Record<string, number>

export interface Totals {
  requests: Amounts
  limits: Amounts
}

/**
 * Returns the requests and limits of a whole pod with its sidecar, as the API server counts them: containers that run at the same time are
 * added up, and an init container only adds to the native sidecars before it. Pod-level resources take precedence.
 * {@link https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers}
 */
export function podTotals(
  pod: Pod,
  sidecar: Resources,
  { mode, hasVariables }: { mode: Mode; hasVariables: boolean },
): Totals {
  const injected = { name: 'sidecar', resources: sidecar }
  const init = [
    mode === 'native' ? { ...injected, restartPolicy: 'Always' } : injected,
    // The container that checks environment variables.
    ...(hasVariables ? [injected] : []),
    ...initContainers(pod),
  ]
  const apps = [...appContainers(pod), ...(mode === 'classic' ? [injected] : [])]
  const total = (field: keyof Totals): Amounts => ({
    ...together(init, apps, field),
    ...amounts(pod.spec.resources?.[field]),
  })
  return { requests: total('requests'), limits: total('limits') }
}

function together(init: readonly Container[], apps: readonly Container[], field: keyof Totals): Amounts {
  let native: Amounts = {}
  let starting: Amounts = {}
  for (const container of init) {
    const own = sum(native, amounts(container.resources?.[field]))
    if (isNativeSidecar(container)) native = own
    starting = most(starting, own)
  }
  const running = apps.reduce((before, { resources }) => sum(before, amounts(resources?.[field])), native)
  return most(starting, running)
}

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
