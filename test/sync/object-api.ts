import jsonPatch, { type Operation } from 'fast-json-patch'
import { ApiError, TooLargeError, type Api, type ApiRequest } from '../../shared/kubernetes/api.ts'
import { readFields, type OnValue } from '../../shared/kubernetes/json-fields.ts'

/** An object as the fake API server keeps it. */
export interface Kept {
  metadata: Record<string, unknown> & { resourceVersion?: string }
  [field: string]: unknown
}

/**
 * An API server with a few objects by path, which versions them, and applies as far as this program uses it: without managers of fields. The
 * end-to-end suite shows the same on a real one.
 */
export class ObjectApi implements Api {
  readonly objects = new Map<string, Kept>()
  /** Of each request: its method, its path without the query, and whether it is for the metadata alone. */
  readonly calls: string[] = []
  /** Bodies of writes by the same text. */
  readonly bodies = new Map<string, unknown[]>()
  /** Called before each request is answered; an error that it throws is the answer. */
  before: (call: string) => void = () => undefined
  /** Returns a token. */
  token: () => Promise<string> = async () => 'token'
  #version = 100

  put(path: string, object: Record<string, unknown> & { metadata?: object }): Kept {
    const metadata = { uid: `uid-${path}`, ...object.metadata, resourceVersion: String(++this.#version) }
    const kept = { ...object, metadata }
    this.objects.set(path, kept)
    return kept
  }

  count = (call: string): number => this.calls.filter((one) => one === call).length

  async call(request: ApiRequest): Promise<unknown> {
    const { method = 'GET', path, body } = request
    const { pathname } = new URL(path, 'https://api')
    const call = `${method} ${pathname}`
    const isPartial = request.accept?.includes('as=PartialObjectMetadata') ?? false
    this.calls.push(isPartial ? `${call} (metadata)` : call)
    if (body !== undefined) this.bodies.set(call, [...(this.bodies.get(call) ?? []), structuredClone(body)])
    this.before(call)
    const answer = await this.#answer(pathname, request)
    let [kept, tooLarge]: unknown[] = []
    const onValue: OnValue = (value, isCut) => ([kept, tooLarge] = [value, isCut])
    const read = readFields({ fields: request.fields ?? true, limit: request.limit ?? Infinity, onValue })
    read(Buffer.from(JSON.stringify(answer)))
    if (tooLarge) throw new TooLargeError(`${call}: the response is too large`)
    return kept
  }

  follow(): Promise<void> {
    return Promise.reject(new Error('nothing is watched here'))
  }

  async #answer(path: string, { method = 'GET', contentType = '', body }: ApiRequest): Promise<unknown> {
    if (method === 'POST' && path.endsWith('/token')) return { status: { token: await this.token() } }
    const existing = this.objects.get(path)
    if (method === 'POST') {
      const named = `${path}/${(body as Kept).metadata['name'] as string}`
      if (this.objects.has(named)) throw new ApiError(409, `POST ${path}: 409 already exists`)
      return this.put(named, body as Kept)
    }
    if (method === 'PATCH' && contentType.includes('json-patch') && existing) {
      return this.put(path, this.#patched(existing, body as Operation[]))
    }
    if (method === 'PATCH' && contentType.includes('apply'))
      return this.put(path, this.#applied(existing, body as Kept))
    if (existing === undefined) throw new ApiError(404, `${method} ${path}: 404 not found`)
    return method === 'PATCH' ? this.put(path, { ...existing, ...(body as object) }) : existing
  }

  #patched(existing: Kept, patch: Operation[]): Kept {
    const { newDocument } = jsonPatch.applyPatch(structuredClone(existing), patch)
    if (newDocument.metadata.resourceVersion !== existing.metadata.resourceVersion)
      throw new ApiError(409, '409 the object has been modified')
    return newDocument
  }

  /** Of an object that exists, the version has to be the same, if there is one in the body. */
  #applied(existing: Kept | undefined, body: Kept): Kept {
    const { resourceVersion } = body.metadata
    // Without a version, an apply merges into whatever is there.
    if (existing && resourceVersion !== undefined && resourceVersion !== existing.metadata.resourceVersion)
      throw new ApiError(409, '409 the object has been modified')
    return { ...body, metadata: { ...body.metadata, uid: existing?.metadata['uid'] ?? 'uid-new' } }
  }
}
