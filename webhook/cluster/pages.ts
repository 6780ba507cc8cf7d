import { accept, type Api } from './api.ts'
import type { Meta, Metadata } from './reflector.ts'

const pageSize = 500

/**
 * The metadata of every object in a collection, page by page, so that a large cluster is never held at once.
 * @param path of the collection, with a query or without
 * @throws ApiError 410 where the list took longer than the API server remembers; begin anew
 */
export async function* metadataOf<M extends Metadata>(api: Api, path: string, closing: AbortSignal): AsyncGenerator<M> {
  const first = `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}`
  let more: string | undefined
  do {
    const page = (await api.call({
      path: more ? `${first}&continue=${encodeURIComponent(more)}` : first,
      accept: accept.metadataList,
      signal: AbortSignal.any([closing, AbortSignal.timeout(60_000)]),
    })) as Meta & { items?: { metadata?: M }[] | null }
    for (const { metadata } of page.items ?? []) if (metadata) yield metadata
    more = page.metadata?.continue
  } while (more)
}
