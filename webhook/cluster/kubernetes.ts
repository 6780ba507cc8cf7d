import { annotationPrefix, systemLabel } from '../../shared/names.ts'
import type { Logger } from '../../shared/log.ts'
import { limitsOf, type LimitRange, type Limits } from '../../shared/kubernetes/limit-range.ts'
import { meshNamespaceAnnotations } from '../plan/mesh.ts'
import { enforceLabel, uidRangeAnnotation } from '../plan/sidecar-user.ts'
import type { Namespace, ServiceAccount } from '../plan/inputs.ts'
import { accept, ApiError, type Api, type ApiRequest } from '../../shared/kubernetes/api.ts'
import { watchClasses } from './classes.ts'
import type { Cluster, Lookup, LookupOptions } from './cluster.ts'
import { watchKubelets } from './kubelets.ts'
import { createReads } from './reads.ts'
import type { OnLimited } from '../limits.ts'
import { createReflector, type Meta, type Reflector, type ReflectorOptions } from '../../shared/kubernetes/reflector.ts'

export interface KubernetesClusterOptions extends Pick<ReflectorOptions<unknown>, 'clock' | 'random'> {
  api: Api
  onLimited?: OnLimited | undefined
  log: Logger
}

/**
 * A Kubernetes cluster, read through caches of metadata; what they lack is read from the API server.
 *
 * RBAC: get, list, watch on `namespaces`, `serviceaccounts` and `secretproviderclasses`, list and watch on `limitranges`, list on `nodes`, all
 * cluster-wide.
 */
export function createKubernetesCluster(options: KubernetesClusterOptions): Cluster {
  const { api, onLimited } = options
  const reads = createReads(api, onLimited)
  const namespaces = createReflector<Namespace>({
    ...options,
    path: '/api/v1/namespaces',
    fields: namespaceFields,
    keep: namespaceOf,
    limits: limits.namespaces,
  })
  const accounts = createReflector<ServiceAccount>({
    ...options,
    path: '/api/v1/serviceaccounts',
    fields: accountFields,
    keep: accountOf,
    limits: limits.accounts,
  })
  const ranges = createReflector<Limits[], LimitRange>({
    ...options,
    path: '/api/v1/limitranges',
    fullObjects: true,
    fields: rangeFields,
    keep: limitsOf,
    limits: limits.ranges,
  })
  const classes = watchClasses({ ...options, reads })
  const kubelets = watchKubelets(options)

  async function lookUp<T>(
    cache: Reflector<T>,
    [namespace, name]: [string | undefined, string],
    request: Pick<ApiRequest, 'path' | 'accept' | 'fields'>,
    keep: (object: Meta) => T,
    lookup: LookupOptions,
  ): Promise<Lookup<T>> {
    // The API server has no longer names, but a review may contain any.
    if (name.length > longestName || (namespace ?? '').length > longestName) return { value: undefined, cached: false }
    const value = lookup.live || !cache.fresh() ? undefined : cache.get(namespace, name)
    if (value !== undefined) return { value, cached: true }
    try {
      const found = (await reads.read({ ...request, limit: largest }, lookup)) as Meta
      return { value: keep(found), cached: false }
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return { value: undefined, cached: false }
      throw error
    }
  }

  return {
    namespace: (name, lookup = {}) =>
      lookUp(
        namespaces,
        [undefined, name],
        { path: `/api/v1/namespaces/${encodeURIComponent(name)}`, accept: accept.metadata, fields: namespaceFields },
        namespaceOf,
        lookup,
      ),
    serviceAccount: (namespace, name, lookup = {}) =>
      lookUp(
        accounts,
        [namespace, name],
        {
          path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(name)}`,
          fields: { ...accountFields, automountServiceAccountToken: true },
        },
        accountOf,
        lookup,
      ),
    async limitRanges(namespace, lookup = {}) {
      // Only a better message depends on them, so a failure to read them is no reason to wait or to fail.
      const known = { value: ranges.fresh() ? ranges.all(namespace).flat() : [], cached: true }
      if (!lookup.live || namespace.length > longestName) return known
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/limitranges?limit=${mostRanges}`
      const request = { path, fields: { items: rangeFields }, limit: largest }
      const list = (await reads.read(request, lookup).catch(() => undefined)) as
        { items?: LimitRange[] | null } | undefined
      return list === undefined ? known : { value: (list.items ?? []).flatMap(limitsOf), cached: false }
    },
    secretProviderClass: (namespace, name, lookup) => classes.find(namespace, name, lookup),
    oldestKubelet: kubelets.oldest,
    apiServer: kubelets.apiServer,
    // A stale cache is no reason: everything is read live then, and no other replica would do better.
    notReady: () =>
      namespaces.read() && accounts.read() && kubelets.attempted()
        ? undefined
        : 'Namespaces, ServiceAccounts and Nodes have not been read yet',
    async close() {
      await Promise.all([namespaces.close(), accounts.close(), ranges.close(), classes.close(), kubelets.close()])
    },
  }
}

/** Estimated memory of each cache in bytes; what does not fit is read when a review needs it. */
const limits = {
  namespaces: { bytes: 6 * 1024 * 1024, bytesPerNamespace: 0 },
  accounts: { bytes: 8 * 1024 * 1024, bytesPerNamespace: 1024 * 1024 },
  ranges: { bytes: 1024 * 1024, bytesPerNamespace: 64 * 1024 },
}
/** Limit in bytes of JSON of one object that is read for a review; annotations alone have at most 256 KiB. */
const largest = 512 * 1024
const longestName = 253
const mostRanges = 100

const names = { name: true, namespace: true, resourceVersion: true } as const
const namespaceFields = {
  metadata: {
    ...names,
    labels: { [systemLabel]: true, [enforceLabel]: true },
    annotations: { [`${annotationPrefix}*`]: true },
  },
} as const
const accountFields = { metadata: { ...names, annotations: { 'azure.workload.identity/*': true } } } as const
const rangeFields = { metadata: names, spec: { limits: true } } as const

const nothing: Readonly<Record<string, string>> = Object.freeze({})

/** Returns the entries with wanted keys. Most objects have none and share one empty map. */
function pick(from: Record<string, string> | undefined, wanted: (key: string) => boolean): Record<string, string> {
  const entries = Object.entries(from ?? {}).filter(([key]) => wanted(key))
  return entries.length === 0 ? nothing : Object.fromEntries(entries)
}

/** Annotations of other projects that decisions read on Namespaces. */
const foreignAnnotations: readonly string[] = [...meshNamespaceAnnotations, uidRangeAnnotation]

const namespaceOf = ({ metadata: { name = '', labels, annotations } = {} }: Meta): Namespace => ({
  name,
  labels: pick(labels, (key) => key === systemLabel || key === enforceLabel),
  annotations: pick(annotations, (key) => key.startsWith(annotationPrefix) || foreignAnnotations.includes(key)),
})

const withoutAnnotations: ServiceAccount = Object.freeze({ annotations: nothing })

/** @param object complete, or metadata only */
function accountOf(object: Meta & { automountServiceAccountToken?: unknown }): ServiceAccount {
  const { metadata, automountServiceAccountToken: automount } = object
  const picked = pick(metadata?.annotations, (key) => key.startsWith('azure.workload.identity/'))
  const account = picked === nothing ? withoutAnnotations : { annotations: picked }
  return typeof automount === 'boolean' ? { ...account, automount } : account
}
