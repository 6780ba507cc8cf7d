import { annotationPrefix, injectionLabel, systemLabel, workloadIdentityLabel } from '../../shared/names.ts'
import type { Api } from '../../shared/kubernetes/api.ts'
import { eachMetadata } from '../../shared/kubernetes/pages.ts'
import type { Metadata } from '../../shared/kubernetes/reflector.ts'
import type { OnLimited } from '../limits.ts'
import { missReasons, type MissReason } from '../reasons.ts'

export interface PodMetadata extends Metadata {
  uid?: string
  deletionTimestamp?: string
}

/** A pod that requests secrets and has no sidecar. */
export interface Miss {
  name: string
  namespace: string
  uid: string
  reason: MissReason
}

/** The result of one audit. */
export interface Misses {
  counts: Record<MissReason, number>
  /** Pods without an Event that may get one now. */
  fresh: Miss[]
  /** Pods with an Event that still exist: namespaces by uid. */
  reported: Map<string, string>
}

/**
 * Authors of pods control how many pods are missed, so only counts are kept, and the uids of pods with an Event: limited in the cluster and in
 * each namespace, so that no namespace takes the Events of others. One audit creates at most 100 Events, because those of a whole cluster
 * would push out others.
 */
const most = { reported: 10_000, ofNamespace: 50, fresh: 100 }
/** Twice as many as Kubernetes supports. {@link https://github.com/kubernetes/community/blob/main/sig-scalability/configs-and-limits/thresholds.md} */
const mostNamespaces = 20_000

/** Finished pods would not benefit from a sidecar. */
const running = `fieldSelector=${encodeURIComponent('status.phase!=Succeeded,status.phase!=Failed')}`

const label = (...names: string[]) => ({ labels: Object.fromEntries(names.map((name) => [name, true as const])) })
const namespaceFields = { name: true, ...label(injectionLabel, systemLabel) } as const
const podFields = {
  name: true,
  namespace: true,
  uid: true,
  deletionTimestamp: true,
  annotations: {
    ...Object.fromEntries(
      ['inject', 'status', 'objects', 'secret-provider-class', 'env'].map((name) => [
        annotationPrefix + name,
        true as const,
      ]),
    ),
    'kubernetes.io/config.mirror': true,
  },
  ...label(workloadIdentityLabel),
} as const

export interface FindOptions {
  signal: AbortSignal
  onLimited?: OnLimited | undefined
}

/** Audits all pods that are not finished. @param reported the result of the previous audit, with the pods that got an Event since */
export async function findMisses(
  api: Api,
  reported: ReadonlyMap<string, string>,
  { signal, onLimited }: FindOptions,
): Promise<Misses> {
  const namespaces = new Map<string, Scope>()
  const addNamespace = (one: Metadata): void => {
    const scope = scopeOf(one)
    if (scope === undefined) return
    if (namespaces.size < mostNamespaces) namespaces.set(one.name ?? '', scope)
    else onLimited?.('audit')
  }
  await eachMetadata(api, '/api/v1/namespaces', namespaceFields, addNamespace, signal)
  const { misses, add } = collect(reported, onLimited)
  const addPod = (pod: PodMetadata): void => {
    const { name = '', namespace = '', uid = '' } = pod
    const reason = missOf(pod, namespaces.get(namespace))
    if (reason !== undefined) add({ name, namespace, uid, reason })
  }
  await eachMetadata(api, `/api/v1/pods?${running}`, podFields, addPod, signal)
  return misses
}

/** Returns a count of zero for each reason. */
export const noMisses = (): Misses['counts'] =>
  Object.fromEntries(Object.keys(missReasons).map((reason) => [reason, 0])) as Misses['counts']

function collect(reported: ReadonlyMap<string, string>, onLimited: OnLimited | undefined) {
  const counts = noMisses()
  const misses: Misses = { counts, fresh: [], reported: new Map() }
  const ofNamespace = new Map<string, number>()
  const count = (namespace: string): number => ofNamespace.get(namespace) ?? 0
  for (const namespace of reported.values()) ofNamespace.set(namespace, count(namespace) + 1)

  function add(miss: Miss): void {
    const { namespace, uid, reason } = miss
    counts[reason]++
    if (reported.has(uid)) misses.reported.set(uid, namespace)
    else if (count(namespace) >= most.ofNamespace || reported.size + misses.fresh.length >= most.reported)
      onLimited?.('audit')
    else if (misses.fresh.length < most.fresh) {
      ofNamespace.set(namespace, count(namespace) + 1)
      misses.fresh.push(miss)
    }
  }
  return { misses, add }
}

/** Whether a namespace's labels enable injection. */
export type Scope = 'enabled' | 'not-enabled'

/** Returns undefined if no pod of the namespace may be injected. */
export function scopeOf({ name, labels = {} }: Metadata): Scope | undefined {
  const { [injectionLabel]: injection, [systemLabel]: system } = labels
  if (name === 'kube-system' || system === 'true' || injection === 'report') return undefined
  return injection === 'enabled' ? 'enabled' : 'not-enabled'
}

/**
 * Returns why a pod that requests secrets has no sidecar; undefined if it has one, requests none, or must not have one.
 * @param scope the namespace's; undefined also for a namespace created after the list, which the next audit sees
 */
export function missOf(pod: PodMetadata, scope: Scope | undefined): MissReason | undefined {
  const of = (name: string): string | undefined => pod.annotations?.[annotationPrefix + name]
  if (['objects', 'secret-provider-class', 'env'].every((name) => of(name) === undefined)) return undefined
  if (of('inject')?.trim() === 'false' || of('status') === 'injected' || pod.deletionTimestamp) return undefined
  if (scope !== 'enabled') return scope && 'no-namespace-label'
  if (pod.annotations?.['kubernetes.io/config.mirror'] !== undefined) return 'mirror-pod'
  return pod.labels?.[workloadIdentityLabel] === 'true' ? 'missed' : 'no-label'
}
