import type { Limits } from '../../shared/kubernetes/limit-range.ts'
import { resourceKinds } from '../../shared/kubernetes/quantity.ts'
import { podinfoFolder } from '../../shared/names.ts'
import { placeOf } from './container-paths.ts'
import { appContainers, initContainers, withSpec, type Container, type Pod } from './pod.ts'

/** What the API server's own admission of a pod depends on. */
export interface AdmissionInputs {
  /** The namespace's. */
  limitRanges: readonly Limits[]
  /** Of the pod's ServiceAccount; undefined if it says nothing, or is not known. */
  automount: boolean | undefined
}

/** In a pod, the volume has a random name; no user's volume has this one. */
const tokenVolume = 'kube-api-access-template'

/**
 * Returns the pod of a template as the API server leaves it before it calls webhooks: with the ServiceAccount's token mounted into every
 * container, and with default requests and limits.
 */
export function asAdmitted(pod: Pod, { limitRanges, automount }: AdmissionInputs): Pod {
  const defaults = containerDefaults(limitRanges)
  const isMounted = pod.spec.automountServiceAccountToken ?? automount ?? true
  const admitted = (container: Container): Container => {
    const { resources } = container
    const sized = { ...container, resources: { ...resources, ...withDefaults(resources, defaults) } }
    return isMounted ? withToken(sized) : sized
  }
  return withSpec(pod, {
    containers: appContainers(pod).map(admitted),
    ...(pod.spec.initContainers === undefined ? {} : { initContainers: initContainers(pod).map(admitted) }),
    ...(isMounted ? { volumes: [...(pod.spec.volumes ?? []), { name: tokenVolume, projected: {} }] } : {}),
  })
}

function withToken(container: Container): Container {
  const { volumeMounts = [] } = container
  if (volumeMounts.some(({ mountPath }) => placeOf(mountPath) === placeOf(podinfoFolder))) return container
  return {
    ...container,
    volumeMounts: [...volumeMounts, { name: tokenVolume, mountPath: podinfoFolder, readOnly: true }],
  }
}

/** Limits and requests of containers that have none. */
export interface ContainerDefaults {
  limits: Record<string, string>
  requests: Record<string, string>
}

/**
 * Returns the defaults of a namespace's LimitRanges, for resource kinds that a sidecar has. If several have one for the same kind, the first
 * applies.
 */
export function containerDefaults(ranges: readonly Limits[]): ContainerDefaults {
  const ofContainers = ranges.filter(({ type }) => type === 'Container')
  const first = (field: 'default' | 'defaultRequest'): Record<string, string> =>
    Object.fromEntries(
      resourceKinds.flatMap((kind) => {
        const found = ofContainers.map((range) => range[field]?.[kind]).find((quantity) => quantity !== undefined)
        return found === undefined ? [] : [[kind, found]]
      }),
    )
  return { limits: first('default'), requests: first('defaultRequest') }
}

type Quantities = Record<string, string | number>

/** Returns a container's resources with defaults. A request that is missing is the container's own limit, if it has one. */
export const withDefaults = (
  { limits, requests }: { limits?: Quantities; requests?: Quantities } = {},
  defaults: ContainerDefaults,
): ContainerDefaults => ({
  limits: { ...defaults.limits, ...ofSidecar(limits) },
  requests: { ...defaults.requests, ...ofSidecar(limits), ...ofSidecar(requests) },
})

/** A container may name any number of other kinds, which do not matter to the sidecar. */
const ofSidecar = (quantities: Quantities = {}): Record<string, string> =>
  Object.fromEntries(
    resourceKinds.flatMap((kind) => {
      const quantity = Object.hasOwn(quantities, kind) ? quantities[kind] : undefined
      return quantity === undefined ? [] : [[kind, String(quantity)]]
    }),
  )
