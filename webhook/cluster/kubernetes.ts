import { annotationPrefix, systemLabel } from '../../shared/names.ts'
import type { Logger } from '../../shared/log.ts'
import type { ServiceAccount } from '../identity.ts'
import type { Limits } from '../pod/limit-range.ts'
import { meshNamespaceAnnotations } from '../pod/mesh.ts'
import { enforceLabel, uidRangeAnnotation } from '../pod/security-context.ts'
import type { Namespace } from '../plan.ts'
import { accept, ApiError, type Api } from './api.ts'
import { watchClasses } from './classes.ts'
import type { Cluster, Lookup, LookupOptions } from './cluster.ts'
import type { Fields } from './json-fields.ts'
import { watchKubelets } from './kubelets.ts'
import { boundedReads } from './reads.ts'
import { reflect, type Meta, type Reflector, type ReflectorOptions } from './reflector.ts'

export interface KubernetesClusterOptions extends Pick<
  ReflectorOptions<unknown>,
  'wait' | 'now' | 'random' | 'onLimited'
> {
  api: Api
  log: Logger
}

/**
 * A Kubernetes cluster through caches of metadata; what they do not hold is read from the API server.
 *
 * RBAC: get, list, watch on `namespaces`, `serviceaccounts` and `secretproviderclasses`, list and watch on `limitranges`, list on `nodes`, all
 * cluster-wide.
 */
export function kubernetesCluster(options: KubernetesClusterOptions): Cluster {
  const { api, onLimited } = options
  const reads = boundedReads(api, onLimited)
  const namespaces = reflect<Namespace>({
    ...options,
    path: '/api/v1/namespaces',
    fields: namespaceFields,
    keep: namespaceOf,
    limits: limits.namespaces,
  })
  const accounts = reflect<ServiceAccount>({
    ...options,
    path: '/api/v1/serviceaccounts',
    fields: accountFields,
    keep: accountOf,
    limits: limits.accounts,
  })
  const ranges = reflect<Limits[], LimitRange>({
    ...options,
    path: '/api/v1/limitranges',
    whole: true,
    fields: rangeFields,
    keep: limitsOf,
    limits: limits.ranges,
  })
  const classes = watchClasses({ ...options, reads })
  const kubelets = watchKubelets(options)

  async function look<T>(
    cache: Reflector<T>,
    [namespace, name]: [string | undefined, string],
    path: string,
    fields: Fields,
    keep: (object: Meta) => T,
    lookup: LookupOptions,
  ): Promise<Lookup<T>> {
    // The API server knows no longer ones, and a review may say anything.
    if (name.length > longestName || (namespace ?? '').length > longestName) return { value: undefined, cached: false }
    const value = lookup.live || !cache.fresh() ? undefined : cache.get(namespace, name)
    if (value !== undefined) return { value, cached: true }
    try {
      const found = (await reads.read({ path, accept: accept.metadata, fields, limit: largest }, lookup)) as Meta
      return { value: keep(found), cached: false }
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return { value: undefined, cached: false }
      throw error
    }
  }

  return {
    namespace: (name, lookup = {}) =>
      look(
        namespaces,
        [undefined, name],
        `/api/v1/namespaces/${encodeURIComponent(name)}`,
        namespaceFields,
        namespaceOf,
        lookup,
      ),
    serviceAccount: (namespace, name, lookup = {}) =>
      look(accounts, [namespace, name], `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(name)}`, accountFields, accountOf, lookup), // prettier-ignore
    async limitRanges(namespace, lookup = {}) {
      // Only a better message depends on them: what is not known, or may not be read, is no reason to wait or to fail.
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
    // A copy that has grown old is no reason: everything is read live then, and nobody else would answer any better.
    notReady: () =>
      namespaces.read() && accounts.read() && kubelets.asked()
        ? undefined
        : 'Namespaces, ServiceAccounts and Nodes have not been read yet',
    async close() {
      await Promise.all([namespaces.close(), accounts.close(), ranges.close(), classes.close(), kubelets.close()])
    },
  }
}

/** Estimated memory in bytes of each cache; what does not fit is read when a review needs it. */
const limits = {
  namespaces: { bytes: 6 * 1024 * 1024, bytesPerNamespace: 0 },
  accounts: { bytes: 8 * 1024 * 1024, bytesPerNamespace: 1024 * 1024 },
  ranges: { bytes: 1024 * 1024, bytesPerNamespace: 64 * 1024 },
}
/** Bytes of JSON of one object that is read for a review: the annotations of an object have at most 256 KiB. */
const largest = 512 * 1024
const longestName = 253
const mostRanges = 100

const names = { name: true, namespace: true, resourceVersion: true } as const
const namespaceFields = {
  metadata: { ...names, labels: { [systemLabel]: true, [enforceLabel]: true }, annotations: { [`${annotationPrefix}*`]: true } }, // prettier-ignore
} as const
const accountFields = { metadata: { ...names, annotations: { 'azure.workload.identity/*': true } } } as const
const rangeFields = { metadata: names, spec: { limits: true } } as const

const nothing: Readonly<Record<string, string>> = Object.freeze({})

/** The entries whose keys are wanted; most objects have none, and share one empty map. */
function pick(from: Record<string, string> | undefined, wanted: (key: string) => boolean): Record<string, string> {
  const entries = Object.entries(from ?? {}).filter(([key]) => wanted(key))
  return entries.length === 0 ? nothing : Object.fromEntries(entries)
}

/** Annotations of others that decisions read on Namespaces. */
const foreignAnnotations: readonly string[] = [...meshNamespaceAnnotations, uidRangeAnnotation]

const namespaceOf = ({ metadata: { name = '', labels, annotations } = {} }: Meta): Namespace => ({
  name,
  labels: pick(labels, (key) => key === systemLabel || key === enforceLabel),
  annotations: pick(annotations, (key) => key.startsWith(annotationPrefix) || foreignAnnotations.includes(key)),
})

const withoutAnnotations: ServiceAccount = Object.freeze({ annotations: nothing })

function accountOf({ metadata }: Meta): ServiceAccount {
  const picked = pick(metadata?.annotations, (key) => key.startsWith('azure.workload.identity/'))
  return picked === nothing ? withoutAnnotations : { annotations: picked }
}

interface LimitRange extends Meta {
  spec?: { limits?: ({ type?: string } & Omit<Limits, 'name' | 'type'>)[] }
}

const limitsOf = ({ metadata, spec }: LimitRange): Limits[] =>
  (spec?.limits ?? []).flatMap(({ type, min = {}, max = {}, maxLimitRequestRatio = {}, ...rest }) =>
    type === 'Container' || type === 'Pod'
      ? [{ name: metadata?.name ?? '', type, min, max, maxLimitRequestRatio, ...defaultsOf(rest) }]
      : [],
  )

const defaultsOf = ({ default: limits, defaultRequest }: Pick<Limits, 'default' | 'defaultRequest'>) => ({
  ...(limits === undefined ? {} : { default: limits }),
  ...(defaultRequest === undefined ? {} : { defaultRequest }),
})
