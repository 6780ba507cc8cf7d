import { ApiError, type Api, type ApiRequest, type ListRequest } from '../../shared/kubernetes/api.ts'
import { messageOf } from '../../shared/errors.ts'
import type { Fields } from '../../shared/kubernetes/json-fields.ts'

/** An object, its absence, or why it could not be read, with the status code if the API server answered. */
export type Read<T> = { kind: 'found'; value: T } | { kind: 'missing' } | Unread
export interface Unread {
  kind: 'unread'
  reason: string
  status?: number
}

/** The answer to a request with a body; `said` is never empty. */
export type Answer<T> = { kind: 'admitted'; value: T } | { kind: 'refused'; said: string }

/** The Kubernetes API as the checks use it. Reading forbidden or failing objects is a result; @throws UnreachableError */
export interface Reader {
  get: <T>(path: string, fields: Fields) => Promise<Read<T>>
  /** Reads every object of a collection. */
  list: <T>(path: string, fields: Fields) => Promise<Read<T[]>>
  /** Reads JSON lines. */
  lines: <T>(path: string, fields: Fields) => Promise<Read<T[]>>
  /** Sends a body that changes nothing in the cluster. */
  post: <T>(path: string, body: unknown, fields: Fields) => Promise<Answer<T>>
}

/** The API server cannot be reached, or does not know the caller. */
export class UnreachableError extends Error {
  override name = 'UnreachableError'
}

const timeoutMs = 20_000
/** Limit in bytes of JSON of the requested fields of one object, or of each object of a list. */
const largest = 256 * 1024
const pageSize = 250
/** Limit of the objects of a list. */
const mostItems = 20_000

export function createReader(api: Api): Reader {
  const call = (request: ApiRequest | ListRequest): Promise<unknown> => bounded(request, (one) => api.call(one))

  async function bounded<R extends ApiRequest, T>(request: R, send: (request: R) => Promise<T>): Promise<T> {
    try {
      return await send({ ...request, limit: largest, signal: AbortSignal.timeout(timeoutMs) })
    } catch (error) {
      if (error instanceof ApiError && error.status === 401)
        throw new UnreachableError('the API server does not accept the credentials of the kubeconfig (401)', {
          cause: error,
        })
      if (isConnectionError(error)) throw new UnreachableError(messageOf(error), { cause: error })
      throw error
    }
  }

  const read = <T>(request: Promise<T>): Promise<Read<T>> =>
    request.then(
      (value): Read<T> => ({ kind: 'found', value }),
      (error: unknown): Read<T> => {
        if (error instanceof UnreachableError) throw error
        if (error instanceof ApiError && error.status === 404) return { kind: 'missing' }
        const status = error instanceof ApiError ? { status: error.status } : {}
        return { kind: 'unread', reason: messageOf(error), ...status }
      },
    )

  async function all<T>(path: string, fields: Fields): Promise<T[]> {
    const items: T[] = []
    const first = `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}`
    let more: string | undefined
    do {
      const page = (await call({
        path: more === undefined ? first : `${first}&continue=${encodeURIComponent(more)}`,
        fields: { metadata: { continue: true }, items: fields },
        onItem: (item) => items.push(item as T),
      })) as { metadata?: { continue?: string } }
      if (items.length > mostItems) throw new Error(`there are more than ${mostItems}`)
      more = page.metadata?.continue || undefined
    } while (more !== undefined)
    return items
  }

  return {
    get: (path, fields) => read(call({ path, fields }) as Promise<never>),
    list: (path, fields) => read(all(path, fields)),
    lines<T>(path: string, fields: Fields) {
      const values: T[] = []
      const each = (value: unknown): void => void values.push(value as T)
      return read(bounded({ path, fields }, (request) => api.follow(request, each)).then(() => values))
    },
    async post(path, body, fields) {
      try {
        return { kind: 'admitted', value: (await call({ method: 'POST', path, body, fields })) as never }
      } catch (error) {
        if (error instanceof UnreachableError) throw error
        return { kind: 'refused', said: error instanceof ApiError && error.said !== '' ? error.said : messageOf(error) }
      }
    },
  }
}

/** Whether no server answered at all. A slow answer may be that of a pod behind the API server's proxy. */
function isConnectionError(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } }
  return !(error instanceof ApiError) && typeof cause?.code === 'string' && cause.code !== 'ABORT_ERR'
}
