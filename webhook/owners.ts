import { accept, ApiError, type Api } from './cluster/api.ts'

export interface Owner {
  apiVersion: string
  kind: string
  name: string
  uid: string
}

/** The kinds whose controllers create pods of workloads; Events go to no other. */
const collections: Readonly<Record<string, string>> = {
  'apps/v1 ReplicaSet': 'replicasets',
  'apps/v1 StatefulSet': 'statefulsets',
  'apps/v1 DaemonSet': 'daemonsets',
  'batch/v1 Job': 'jobs',
  'batch/v1 CronJob': 'cronjobs',
}
/** A look-up holds for so long, in milliseconds, whatever came of it. */
const lifetime = 60_000
const mostKnown = 1000
/** Nothing else is a part of a path. {@link https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names} */
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

export const isName = (text: string): boolean => text.length <= 253 && subdomain.test(text)

/** Whether Events may go to such an owner, if it exists. */
export const mayOwn = ({ apiVersion, kind, name }: Owner): boolean =>
  Object.hasOwn(collections, `${apiVersion} ${kind}`) && isName(name)

/** Tells whether an owner that a pod claims to have exists in its namespace, with that uid. */
export type ConfirmOwner = (namespace: string, owner: Owner) => Promise<boolean>

/**
 * Looks owners up, the metadata only: at most once a minute for each namespace, kind and name, whatever uid is claimed. Remembers a
 * thousand; one that cannot be read is not confirmed. RBAC: get on the five kinds, cluster-wide.
 */
export function confirmOwners(api: Pick<Api, 'call'>, { now = Date.now, timeout = 5_000 } = {}): ConfirmOwner {
  const known = new Map<string, { uid: string | undefined; until: number }>()

  async function look(namespace: string, { apiVersion, kind, name }: Owner): Promise<string | undefined> {
    const path = `/apis/${apiVersion}/namespaces/${namespace}/${collections[`${apiVersion} ${kind}`]}/${name}`
    try {
      const found = await api.call({ path, accept: accept.metadata, signal: AbortSignal.timeout(timeout) })
      return (found as { metadata?: { uid?: string } }).metadata?.uid
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined
      throw error
    }
  }

  return async (namespace, owner) => {
    if (!mayOwn(owner) || !isName(namespace)) return false
    const key = `${namespace} ${owner.apiVersion} ${owner.kind} ${owner.name}`
    const before = known.get(key)
    if (before !== undefined && now() < before.until) return before.uid === owner.uid
    // Before the answer, which may be an error: the next claim must not ask again.
    const entry: { uid: string | undefined; until: number } = { uid: undefined, until: now() + lifetime }
    known.delete(key)
    known.set(key, entry)
    if (known.size > mostKnown) known.delete(known.keys().next().value as string)
    entry.uid = await look(namespace, owner)
    return entry.uid === owner.uid
  }
}
