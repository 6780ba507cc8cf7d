import type { ServiceAccount } from '../identity.ts'
import type { Namespace } from '../plan.ts'
import type { FoundClass } from '../secret-provider-class/resolve-classes.ts'
import type { Limits } from '../pod/limit-range.ts'

/** An object, or that there is none, and whether that came from a cache. */
export interface Lookup<T> {
  value: T | undefined
  cached: boolean
}

export interface LookupOptions {
  /** Ask the API server whatever the cache says. */
  live?: boolean
  signal?: AbortSignal
  /** What the same review has read already, by path; each object is read once. */
  reads?: Map<string, Promise<unknown>>
}

/** What admission needs to know of the cluster. Rejections are of the API server, and their messages are for people. */
export interface Cluster {
  namespace(name: string, options?: LookupOptions): Promise<Lookup<Namespace>>
  serviceAccount(namespace: string, name: string, options?: LookupOptions): Promise<Lookup<ServiceAccount>>
  /** What the namespace's LimitRanges say about pods and containers; none where that is not known. */
  limitRanges(namespace: string, options?: LookupOptions): Promise<Lookup<readonly Limits[]>>
  secretProviderClass(
    namespace: string,
    name: string,
    options?: LookupOptions,
  ): Promise<{ value: FoundClass; cached: boolean }>
  /** Version of the oldest kubelet, such as `v1.34.1`; undefined while it is not known. */
  oldestKubelet(): string | undefined
  /** Why reviews cannot be answered yet, or undefined. */
  notReady(): string | undefined
  close(): Promise<void>
}
