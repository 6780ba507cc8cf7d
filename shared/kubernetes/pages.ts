import { accept, type Api } from './api.ts'
import type { Fields } from './json-fields.ts'
import type { Meta } from './reflector.ts'

/** Small, because tenants can make each object as large as the API server accepts. */
export const pageSize = 100
/** Limit in bytes of JSON kept of one object; fields beyond it are null. */
const largest = 4 * 1024

/**
 * Passes the metadata of every object in a collection one by one, so that neither a large cluster nor a large object is held in memory.
 * @param path of the collection, with a query or without
 * @param fields of the metadata
 * @throws ApiError 410 if the list took longer than the API server keeps its version; start again
 */
export async function eachMetadata<M>(
  api: Api,
  path: string,
  fields: Fields,
  each: (metadata: M) => void,
  closing: AbortSignal,
): Promise<void> {
  const first = `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}`
  let more: string | undefined
  do {
    const page = (await api.call({
      path: more ? `${first}&continue=${encodeURIComponent(more)}` : first,
      accept: accept.metadataList,
      fields: { metadata: { continue: true }, items: { metadata: fields } },
      limit: largest,
      onItem(item) {
        const { metadata } = item as { metadata?: M }
        if (metadata) each(metadata)
      },
      signal: AbortSignal.any([closing, AbortSignal.timeout(60_000)]),
    })) as Meta
    more = page.metadata?.continue
  } while (more)
}
