import { largestSpec, type ClassSpec, type FoundClass } from '../secret-provider-class/resolve-classes.ts'
import { ApiError, TooLargeError } from './api.ts'
import type { LookupOptions } from './cluster.ts'
import type { Reads } from './reads.ts'
import { reflect, type Metadata, type Reflector, type ReflectorOptions } from './reflector.ts'

const group = '/apis/secrets-store.csi.x-k8s.io/v1'
const plural = 'secretproviderclasses'

interface ClassObject {
  metadata?: Metadata & { uid?: string }
  spec?: unknown
}
type Specs = Reflector<ClassSpec>

const fields = { metadata: { name: true, namespace: true, uid: true, resourceVersion: true }, spec: true } as const
/** Estimated memory in bytes of the cache. Classes of more than 16 KiB are not in it, and are read when they are needed. */
const limits = { bytes: 4 * 1024 * 1024, bytesPerNamespace: 512 * 1024 }
/** Bytes of JSON of one class that are kept: its spec, names, uid and version. */
const largest = largestSpec + 4 * 1024
/** Bytes of JSON of the names of a group's kinds. */
const largestGroup = 64 * 1024

/**
 * The cluster's SecretProviderClasses: a cache of their `spec`s from the first question on, so that clusters that do not use
 * them pay nothing; what it does not hold is read from the API server. The kind comes from a CustomResourceDefinition of others,
 * which may be missing, come and go. RBAC: get, list, watch on `secretproviderclasses`.
 */
export function watchClasses(
  options: Pick<ReflectorOptions<unknown>, 'api' | 'log' | 'wait' | 'now' | 'random' | 'onLimited'> & { reads: Reads },
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
    async find(
      namespace: string,
      name: string,
      lookup: LookupOptions = {},
    ): Promise<{ value: FoundClass; cached: boolean }> {
      specs ??= reflect({
        ...options,
        path: `${group}/${plural}`,
        whole: true,
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
      return { value: (await isKnownKind(lookup)) ? 'absent' : 'unknown-kind', cached: false }
    },
    close: async () => specs?.close(),
  }
}

const specOf = ({ spec, metadata: { uid, resourceVersion } = {} }: ClassObject): ClassSpec => ({
  spec,
  ...(uid && resourceVersion ? { version: `${uid} ${resourceVersion}` } : {}),
})

/** Another try would find the same, so this is the class's own problem. */
function ifTooLarge(error: unknown): 'too-large' {
  if (error instanceof TooLargeError) return 'too-large'
  throw error
}

const unless404 = (answer: Promise<unknown>): Promise<unknown> =>
  answer.catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  })
