import { ApiError, type Api } from '../../../shared/kubernetes/api.ts'

/** The Leases of an API server: an update must name the version that it replaces. */
export class FakeLeases {
  readonly #isolated = new Set<string>()
  readonly #objects = new Map<string, { metadata: { name: string; resourceVersion?: string } }>()
  #version = 0

  /** Requests of a client fail from now on. */
  isolate(client: string): void {
    this.#isolated.add(client)
  }

  api = (client: string): Pick<Api, 'call'> => ({
    call: async ({ method = 'GET', path, body }) => {
      if (this.#isolated.has(client)) throw new Error('connect ECONNREFUSED')
      if (method === 'GET') return structuredClone(this.#get(path))
      const next = structuredClone(body) as { metadata: { name: string; resourceVersion?: string } }
      const at = method === 'POST' ? `${path}/${next.metadata.name}` : path
      const current = this.#objects.get(at)
      if (method === 'POST' && current) throw new ApiError(409, 'already exists')
      if (method === 'PUT' && this.#get(at).metadata.resourceVersion !== next.metadata.resourceVersion)
        throw new ApiError(409, 'the object has been modified')
      next.metadata.resourceVersion = `${++this.#version}`
      this.#objects.set(at, next)
      return structuredClone(next)
    },
  })

  #get(path: string): { metadata: { resourceVersion?: string } } {
    const object = this.#objects.get(path)
    if (!object) throw new ApiError(404, 'not found')
    return object
  }
}
