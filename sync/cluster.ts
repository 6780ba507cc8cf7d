import { accept, ApiError, TooLargeError, type Api, type ApiRequest } from '../shared/kubernetes/api.ts'
import { annotationPrefix } from '../shared/names.ts'
import { largestSpec } from '../webhook/plan/secret-provider-class/found-class.ts'
import type { ServiceAccount } from '../webhook/plan/inputs.ts'
import { classVersion, csiManagedLabel, program, syncedLabel } from './names.ts'
import { adoptPatch, isClaim, releasePatch, type Adopted, type Claimed } from './adoption.ts'
import { applyBody, digestOf, type ClusterSecret, type OwnerReference, type WantedSecret } from './secret.ts'
import type { SyncClass } from './sync-class.ts'

/** The cluster, as the program reads and writes it. Every method sends its requests once and throws an {@link ApiError}. */
export interface SyncCluster {
  /** Returns `absent` for a class that does not exist or is being deleted, and `too-large` for one that is not read. */
  readClass(namespace: string, name: string): Promise<SyncClass | 'absent' | 'too-large'>
  /** Whether a class is still there and is not being deleted. */
  hasClass(one: Pick<SyncClass, 'namespace' | 'name' | 'uid'>): Promise<boolean>
  /** Returns undefined if it does not exist. */
  readServiceAccount(namespace: string, name: string): Promise<ServiceAccount | undefined>
  /** Returns a token of a ServiceAccount for one audience. */
  requestToken(namespace: string, name: string, audience: string): Promise<string>
  /** Returns undefined if it does not exist. Of a foreign Secret only the metadata are read. */
  readSecret(namespace: string, name: string): Promise<ClusterSecret | undefined>
  /** Returns the resource version, so that a poll need not read an unchanged Secret; undefined if it does not exist. */
  secretVersion(namespace: string, name: string): Promise<string | undefined>
  /**
   * Takes over the fields that the CSI driver manages in a Secret, and claims it, only if it is still as it was read.
   * @returns the new resource version
   */
  adoptSecret(namespace: string, name: string, resourceVersion: string, claimed: Claimed): Promise<string>
  /** Whether {@link adoptSecret} was interrupted: an apply would not change the fields that it has claimed. */
  isHalfAdopted(namespace: string, name: string): Promise<boolean>
  /**
   * Writes a Secret by server-side apply, only if it is still as it was read.
   * @param resourceVersion undefined if it did not exist
   * @returns the new resource version
   */
  applySecret(namespace: string, wanted: WantedSecret, resourceVersion: string | undefined, at: number): Promise<string>
}

/** Limit of one request, in milliseconds. */
const requestTimeoutMs = 10_000
/** Lifetime of a token in seconds, the shortest that Kubernetes issues. It is exchanged at once. */
export const tokenSeconds = 600
/**
 * The resource version of an object that does not exist. An apply with it creates the object; if there is one by then, it has another
 * version, and the API server answers 409.
 */
const nothing = '1'
/** Limits in bytes of JSON: of a Secret, whose values are in base64, and of a class. */
const largest = { secret: 4 * 1024 * 1024, class: largestSpec + 64 * 1024 }

const secretFields = {
  metadata: { uid: true, resourceVersion: true, labels: true, annotations: true, ownerReferences: true },
  type: true,
  data: true,
} as const

/** `managedFields` tells who manages which fields. */
const adoptedFields = { resourceVersion: true, labels: true, annotations: true, managedFields: true } as const

interface ClassObject {
  metadata?: { uid?: string; deletionTimestamp?: string; annotations?: Record<string, string> }
  spec?: unknown
}

interface SecretObject {
  metadata?: {
    uid?: string
    resourceVersion?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    ownerReferences?: OwnerReference[]
  }
  type?: string
  data?: Record<string, string>
}

export function createSyncCluster(api: Api): SyncCluster {
  const call = (request: ApiRequest): Promise<unknown> =>
    api.call({ ...request, signal: AbortSignal.timeout(requestTimeoutMs) })
  const secretPath = (namespace: string, name: string): string =>
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`
  const classPath = (namespace: string, name: string): string =>
    `/apis/${classVersion}/namespaces/${encodeURIComponent(namespace)}/secretproviderclasses/${encodeURIComponent(name)}`
  const accountPath = (namespace: string, name: string): string =>
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(name)}`

  async function adopted(request: ApiRequest): Promise<Adopted> {
    const form = { accept: accept.metadata, fields: { metadata: adoptedFields }, limit: largest.secret }
    return ((await call({ ...form, ...request })) as { metadata?: Adopted }).metadata ?? {}
  }

  async function write(request: ApiRequest): Promise<string> {
    const written = (await call({
      ...request,
      method: 'PATCH',
      fields: { metadata: { resourceVersion: true } },
    })) as SecretObject
    return written.metadata?.resourceVersion ?? ''
  }

  return {
    async readClass(namespace, name) {
      const path = classPath(namespace, name)
      const metadata = { uid: true, deletionTimestamp: true, annotations: { [`${annotationPrefix}*`]: true } } as const
      const request = { path, fields: { metadata, spec: true }, limit: largest.class } as const
      const found = (await unlessAbsent(call(request).catch(ifTooLarge))) as ClassObject | 'too-large' | undefined
      if (found === 'too-large') return found
      if (found === undefined || found.metadata?.deletionTimestamp !== undefined) return 'absent'
      const { metadata: { uid = '', annotations = {} } = {}, spec } = found
      return { namespace, name, uid, annotations, spec }
    },
    async hasClass({ namespace, name, uid }) {
      const fields = { metadata: { uid: true, deletionTimestamp: true } } as const
      const found = await unlessAbsent(call({ path: classPath(namespace, name), accept: accept.metadata, fields }))
      const { metadata } = (found ?? {}) as ClassObject
      return metadata?.uid === uid && metadata.deletionTimestamp === undefined
    },
    async readServiceAccount(namespace, name) {
      const fields = { metadata: { annotations: { 'azure.workload.identity/*': true } } } as const
      const found = await unlessAbsent(call({ path: accountPath(namespace, name), fields }))
      const { metadata } = (found ?? {}) as SecretObject
      return found === undefined ? undefined : { annotations: metadata?.annotations ?? {} }
    },
    async requestToken(namespace, name, audience) {
      const body = tokenRequest([audience])
      const path = `${accountPath(namespace, name)}/token`
      const answer = await call({ method: 'POST', path, body, fields: { status: { token: true } } })
      return (answer as { status?: { token?: string } }).status?.token ?? ''
    },
    async readSecret(namespace, name) {
      const path = secretPath(namespace, name)
      const { metadata } = secretFields
      const form = { accept: accept.metadata, fields: { metadata }, limit: largest.secret }
      const known = (await unlessAbsent(call({ path, ...form }))) as SecretObject | undefined
      if (known === undefined) return undefined
      if (isForeign(known)) return clusterSecret(known)
      const found = (await unlessAbsent(call({ path, fields: secretFields, limit: largest.secret }))) as
        SecretObject | undefined
      return found && clusterSecret(found)
    },
    async secretVersion(namespace, name) {
      const path = secretPath(namespace, name)
      const fields = { metadata: { resourceVersion: true } } as const
      const found = await unlessAbsent(call({ path, accept: accept.metadata, fields }))
      return (found as SecretObject | undefined)?.metadata?.resourceVersion
    },
    async adoptSecret(namespace, name, resourceVersion, claimed) {
      const contentType = 'application/json-patch+json'
      const path = `${secretPath(namespace, name)}?fieldManager=${program}`
      const patch = (body: object[]): Promise<Adopted> => adopted({ method: 'PATCH', path, contentType, body })
      const found = await adopted({ path: secretPath(namespace, name) })
      const claimedNow = await patch(adoptPatch({ ...found, resourceVersion }, claimed))
      const released = await patch(releasePatch(claimedNow))
      return released.resourceVersion ?? ''
    },
    async isHalfAdopted(namespace, name) {
      return (await adopted({ path: secretPath(namespace, name) })).managedFields?.some(isClaim) ?? false
    },
    applySecret: (namespace, wanted, resourceVersion = nothing, at) =>
      write({
        path: `${secretPath(namespace, wanted.name)}?fieldManager=${program}`,
        contentType: 'application/apply-patch+yaml',
        body: applyBody(wanted, { namespace, resourceVersion, at: new Date(at).toISOString() }),
      }),
  }
}

/** The body of a request for a token. */
export const tokenRequest = (audiences: readonly string[]): object => ({
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenRequest',
  spec: { audiences, expirationSeconds: tokenSeconds },
})

/** Whether neither this program nor the CSI driver made a Secret. */
const isForeign = ({ metadata: { labels = {} } = {} }: SecretObject): boolean =>
  labels[syncedLabel] !== 'true' && labels[csiManagedLabel] !== 'true'

function clusterSecret({ metadata = {}, type = 'Opaque', data }: SecretObject): ClusterSecret {
  const { uid = '', resourceVersion = '', labels = {}, annotations = {}, ownerReferences: owners = [] } = metadata
  const values = Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const)
  const keys = values.map(([key]) => key)
  return { ...{ uid, resourceVersion, type, labels, annotations, owners, keys }, digest: digestOf(values) }
}

/** The status of an answer of the API server; undefined if there was none. */
export const statusOf = (error: unknown): number | undefined => (error instanceof ApiError ? error.status : undefined)

async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined
    throw error
  })
}

function ifTooLarge(error: unknown): 'too-large' {
  if (error instanceof TooLargeError) return 'too-large'
  throw error
}
