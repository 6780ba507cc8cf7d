import { isNativeSidecar, type Container } from '../pod/pod.ts'

/**
 * Returns the place of the sidecar among a pod's init containers: before those of the app, which can then read secrets, but after native
 * proxies that precede them, which carry its traffic. Known sidecars behind an init container of the app do not count, because some
 * injectors append theirs.
 */
export function sidecarIndex(others: readonly Container[], knownSidecars: readonly string[]): number {
  const firstOfApp = others.findIndex(({ name }) => !knownSidecars.includes(name))
  return others.slice(0, firstOfApp < 0 ? undefined : firstOfApp).findLastIndex(isNativeSidecar) + 1
}
