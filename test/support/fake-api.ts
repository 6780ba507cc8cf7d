import { ApiError, type Api, type ApiRequest, type ListRequest } from '../../shared/kubernetes/api.ts'
import { readFields } from '../../shared/kubernetes/json-fields.ts'
import type { Metadata } from '../../shared/kubernetes/reflector.ts'

/** Returns the part of an answer that a request's form and fields select. */
function wanted(answer: unknown, { accept, fields, limit = Infinity }: ApiRequest): unknown {
  const isPartial = accept?.includes('as=PartialObjectMetadata;') ?? false
  const value = isPartial ? { metadata: (answer as { metadata?: unknown }).metadata } : answer
  if (fields === undefined) return value
  let kept: unknown
  readFields({ fields, limit, onValue: (one) => (kept = one) })(Buffer.from(JSON.stringify(value)))
  return kept
}

/** An API server whose watches a test drives. A list has one object on each page. */
export class FakeApi implements Api {
  readonly calls: string[] = []
  /** Objects by the path of their collection, and single answers by full path. */
  readonly lists = new Map<string, Metadata[]>()
  /** The other parts of objects, by name. */
  readonly rest = new Map<string, object>()
  readonly answers = new Map<string, unknown>()
  /** Open watches by collection. */
  readonly watches = new Map<string, { send: (event: unknown) => void; end: (error?: Error) => void }>()
  pageSize = 2
  failure: Error | undefined
  #version = 100

  async call(request: ApiRequest | ListRequest): Promise<unknown> {
    const { path, signal } = request
    this.calls.push(path)
    if (this.failure) throw this.failure
    signal?.throwIfAborted()
    const { pathname, searchParams } = new URL(path, 'https://api')
    const answer = this.answers.get(pathname)
    if (answer !== undefined) return wanted(await Promise.resolve(answer), request)
    const list = this.lists.get(pathname)
    if (list === undefined) throw new ApiError(404, `GET ${pathname}: 404 not found`)
    const from = Number(searchParams.get('continue') ?? 0)
    const to = from + this.pageSize
    const metadata = { resourceVersion: String(++this.#version), ...(to < list.length ? { continue: String(to) } : {}) }
    const items = list.slice(from, to).map((metadata) => ({ metadata, ...this.rest.get(metadata.name ?? '') }))
    if (!('onItem' in request)) return { metadata, items }
    for (const item of items) request.onItem(item, false)
    return { metadata }
  }

  follow({ path, signal }: ApiRequest, each: (item: unknown, isCut: boolean) => void): Promise<void> {
    this.calls.push(path)
    if (this.failure) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      const { pathname } = new URL(path, 'https://api')
      const end = (error?: Error): void => {
        this.watches.delete(pathname)
        if (error) reject(error)
        else resolve()
      }
      const send = (event: unknown): void => {
        try {
          each(event, false)
        } catch (error) {
          end(error as Error)
        }
      }
      signal?.addEventListener('abort', () => end(new Error('aborted')))
      this.watches.set(pathname, { send, end })
    })
  }
}
