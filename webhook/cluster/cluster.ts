import type { Namespace, ServiceAccount } from '../plan/inputs.ts'
import type { FoundClass } from '../plan/secret-provider-class/found-class.ts'
import type { Limits } from '../../shared/kubernetes/limit-range.ts'

/** A SecretProviderClass, and if it is absent, some names of the namespace's classes for a suggestion. */
export interface ClassLookup {
  value: FoundClass
  cached: boolean
  known?: string[]
}

/** An object, or undefined if there is none, and whether that came from a cache. */
export interface Lookup<T> {
  value: T | undefined
  cached: boolean
}

export interface LookupOptions {
  /** Read from the API server, even if the object is cached. */
  live?: boolean
  signal?: AbortSignal
  /** What the same review has already read, by path; each object is read once. */
  reads?: Map<string, Promise<unknown>>
}

/** What admission needs to know about the cluster. Promises reject if the API server fails, with messages for people. */
export interface Cluster {
  namespace(name: string, options?: LookupOptions): Promise<Lookup<Namespace>>
  serviceAccount(namespace: string, name: string, options?: LookupOptions): Promise<Lookup<ServiceAccount>>
  /** Returns the entries of the namespace's LimitRanges for pods and containers; none if they are not known. */
  limitRanges(namespace: string, options?: LookupOptions): Promise<Lookup<readonly Limits[]>>
  secretProviderClass(namespace: string, name: string, options?: LookupOptions): Promise<ClassLookup>
  /** Returns the version of the oldest kubelet, such as `v1.34.1`; undefined if it is not known. */
  oldestKubelet(): string | undefined
  /** Returns the version of the API server, such as `v1.37.2`; undefined if it is not known. */
  apiServer(): string | undefined
  /** Returns why reviews cannot be answered yet, or undefined. */
  notReady(): string | undefined
  close(): Promise<void>
}
