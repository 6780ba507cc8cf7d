import { largestSpec, type ClassSpec } from '../plan/secret-provider-class/found-class.ts'
import { ApiError, TooLargeError } from '../../shared/kubernetes/api.ts'
import type { ClassLookup, LookupOptions } from './cluster.ts'
import type { Reads } from './reads.ts'
import {
  createReflector,
  type Metadata,
  type Reflector,
  type ReflectorOptions,
} from '../../shared/kubernetes/reflector.ts'

const group = '/apis/secrets-store.csi.x-k8s.io/v1'
const plural = 'secretproviderclasses'

interface ClassObject {
  metadata?: Metadata & { uid?: string }
  spec?: unknown
}
type Specs = Reflector<ClassSpec>

const fields = { metadata: { name: true, namespace: true, uid: true, resourceVersion: true }, spec: true } as const
/** Estimated memory of the cache in bytes. Classes of more than 16 KiB are not cached, but read when they are needed. */
const limits = { bytes: 4 * 1024 * 1024, bytesPerNamespace: 512 * 1024 }
/** Limit in bytes of JSON of the parts of one class that are read: its spec, names, uid and version. */
const largest = largestSpec + 4 * 1024
/** Limit in bytes of JSON of the names of a group's kinds. */
const largestGroup = 64 * 1024

/**
 * Finds the cluster's SecretProviderClasses. A cache of their `spec`s starts with the first look-up, so that clusters without them pay
 * nothing; what it lacks is read from the API server. The kind comes from another project's CustomResourceDefinition, which may be missing,
 * come and go. RBAC: get, list, watch on `secretproviderclasses`.
 */
export function watchClasses(
  options: Pick<ReflectorOptions<unknown>, 'api' | 'log' | 'clock' | 'random' | 'onLimited'> & { reads: Reads },
) {
  const { reads } = options
  let specs: Specs | undefined

  async function isKnownKind(lookup: LookupOptions): Promise<boolean> {
    const names = { path: group, fields: { resources: { name: true } }, limit: largestGroup } as const
    const list = await unless404(reads.read(names, lookup))
    const { resources } = (list ?? {}) as { resources?: { name?: string }[] | null }
    return resources?.some(({ name }) => name === plural) ?? false
  }

  return {
    async find(namespace: string, name: string, lookup: LookupOptions = {}): Promise<ClassLookup> {
      specs ??= createReflector({
        ...options,
        path: `${group}/${plural}`,
        fullObjects: true,
        mayBeAbsent: true,
        fields,
        keep: specOf,
        limits,
      })
      const cached = lookup.live || !specs.fresh() ? undefined : specs.get(namespace, name)
      if (cached !== undefined) return { value: cached, cached: true }
      const path = `${group}/namespaces/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(name)}`
      const found = await unless404(reads.read({ path, fields, limit: largest }, lookup)).catch(ifTooLarge)
      if (found === 'too-large') return { value: found, cached: false }
      if (found !== undefined) return { value: specOf(found as ClassObject), cached: false }
      if (!(await isKnownKind(lookup))) return { value: 'unknown-kind', cached: false }
      return { value: 'absent', cached: false, known: specs.names(namespace) }
    },
    close: async () => specs?.close(),
  }
}

const specOf = ({ spec, metadata: { uid, resourceVersion } = {} }: ClassObject): ClassSpec => ({
  spec,
  ...(uid && resourceVersion ? { version: `${uid} ${resourceVersion}` } : {}),
})

/** A retry would find the same, so this is a problem of the class. */
function ifTooLarge(error: unknown): 'too-large' {
  if (error instanceof TooLargeError) return 'too-large'
  throw error
}

const unless404 = (answer: Promise<unknown>): Promise<unknown> =>
  answer.catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  })
