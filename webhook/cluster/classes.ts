import type { FoundClass } from '../secret-provider-class/resolve-classes.ts'
import { ApiError } from './api.ts'
import type { LookupOptions } from './cluster.ts'
import { reflect, type Meta, type Reflector, type ReflectorOptions } from './reflector.ts'

const group = '/apis/secrets-store.csi.x-k8s.io/v1'
const plural = 'secretproviderclasses'

interface ClassObject extends Meta {
  spec?: unknown
}
type Specs = Reflector<{ spec: unknown }>

/**
 * The cluster's SecretProviderClasses: a cache of their `spec`s from the first question on, so that clusters that do not use
 * them pay nothing; what it does not hold is read from the API server. The kind comes from a CustomResourceDefinition of others,
 * which may be missing, come and go. RBAC: get, list, watch on `secretproviderclasses`.
 */
export function watchClasses(options: Pick<ReflectorOptions<unknown>, 'api' | 'log' | 'wait' | 'now' | 'random'>) {
  const { api } = options
  let specs: Specs | undefined

  async function isKnownKind(signal: AbortSignal | undefined): Promise<boolean> {
    const list = await unless404(api.call({ path: group, ...(signal ? { signal } : {}) }))
    const { resources } = (list ?? {}) as { resources?: { name?: string }[] | null }
    return resources?.some(({ name }) => name === plural) ?? false
  }

  return {
    async find(
      namespace: string,
      name: string,
      { live = false, signal }: LookupOptions = {},
    ): Promise<{ value: FoundClass; cached: boolean }> {
      specs ??= reflect({ ...options, path: `${group}/${plural}`, whole: true, mayBeAbsent: true, keep: specOf })
      const cached = live || !specs.fresh() ? undefined : specs.get(namespace, name)
      if (cached !== undefined) return { value: cached, cached: true }
      const path = `${group}/namespaces/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(name)}`
      const found = await unless404(api.call({ path, ...(signal ? { signal } : {}) }))
      if (found !== undefined) return { value: specOf(found as ClassObject), cached: false }
      return { value: (await isKnownKind(signal)) ? 'absent' : 'unknown-kind', cached: false }
    },
    close: async () => specs?.close(),
  }
}

const specOf = ({ spec }: ClassObject): { spec: unknown } => ({ spec })

const unless404 = (answer: Promise<unknown>): Promise<unknown> =>
  answer.catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  })
