import { realClock, type Clock } from '../../shared/clock.ts'
import { accept, ApiError, type Api } from '../../shared/kubernetes/api.ts'

export interface Owner {
  apiVersion: string
  kind: string
  name: string
  uid: string
}

/** The kinds whose controllers create pods; Events are created only for them. */
const collections: Readonly<Record<string, string>> = {
  'apps/v1 ReplicaSet': 'replicasets',
  'apps/v1 StatefulSet': 'statefulsets',
  'apps/v1 DaemonSet': 'daemonsets',
  'batch/v1 Job': 'jobs',
  'batch/v1 CronJob': 'cronjobs',
}
/** The result of a look-up is kept for this long, even a failure. */
const lifetimeMs = 60_000
const timeoutMs = 5_000
const mostKnown = 1000
/** Only such names are used in paths. {@link https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#names} */
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

export const isName = (text: string): boolean => text.length <= 253 && subdomain.test(text)

/** Whether Events may be created for such an owner, if it exists. */
export const mayOwn = ({ apiVersion, kind, name }: Owner): boolean =>
  Object.hasOwn(collections, `${apiVersion} ${kind}`) && isName(name)

/** Returns whether the owner that a pod claims exists in its namespace with that uid. */
export type ConfirmOwner = (namespace: string, owner: Owner) => Promise<boolean>

/**
 * Looks up the metadata of owners, at most once a minute for each namespace, kind and name, whatever uid is claimed. Keeps a thousand results;
 * an owner that cannot be read is not confirmed. RBAC: get on the five kinds, cluster-wide.
 */
export function createOwnerCheck(api: Pick<Api, 'call'>, clock: Pick<Clock, 'elapsed'> = realClock): ConfirmOwner {
  const known = new Map<string, { uid: string | undefined; until: number }>()

  async function readUid(namespace: string, { apiVersion, kind, name }: Owner): Promise<string | undefined> {
    const path = `/apis/${apiVersion}/namespaces/${namespace}/${collections[`${apiVersion} ${kind}`]}/${name}`
    try {
      const found = await api.call({ path, accept: accept.metadata, signal: AbortSignal.timeout(timeoutMs) })
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
    if (before !== undefined && clock.elapsed() < before.until) return before.uid === owner.uid
    // Stored before the response, which may be an error: the next claim must not cause another request.
    const entry: { uid: string | undefined; until: number } = { uid: undefined, until: clock.elapsed() + lifetimeMs }
    known.delete(key)
    known.set(key, entry)
    if (known.size > mostKnown) known.delete(known.keys().next().value as string)
    entry.uid = await readUid(namespace, owner)
    return entry.uid === owner.uid
  }
}
