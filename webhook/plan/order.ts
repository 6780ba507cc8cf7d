import { isNativeSidecar, type Container } from '../pod/pod.ts'

/**
 * Returns the place of the sidecar among a pod's init containers: the first, so that the others can read secrets, but after native proxies,
 * which carry its traffic.
 */
export const sidecarIndex = (others: readonly Container[], knownSidecars: readonly string[]): number =>
  others.findLastIndex((other) => isNativeSidecar(other) && knownSidecars.includes(other.name)) + 1
