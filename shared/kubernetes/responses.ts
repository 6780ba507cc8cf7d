export const REQUEST_TIMEOUT_MS = 10_000

export interface ApiRequest {
  method?: 'GET' | 'PUT' | 'PATCH'
  /** with its query */
  path: string
  contentType?: string
  body?: unknown
  signal?: AbortSignal
}

/** The Kubernetes API. Rejections for a response other than 2xx have its `status` and the API server's message (`said`). */
export interface Api {
  call(request: ApiRequest): Promise<unknown>
  /** passes each line of the response as JSON, until the server or the signal ends it */
  follow(request: ApiRequest, each: (item: unknown) => void): Promise<void>
}

/** Returns the requested object; undefined if it does not exist. `what` begins the message of any other error. */
export async function orMissing<T>(what: string, request: Promise<T>): Promise<T | undefined> {
  return request.catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined
    throw readable(what, error)
  })
}

/** Returns whether a write succeeded; false if the object has another version (409) or does not exist (404). */
export async function orConflict(what: string, request: Promise<unknown>): Promise<boolean> {
  try {
    await request
    return true
  } catch (error) {
    const status = statusOf(error)
    if (status === 409 || status === 404) return false
    throw readable(what, error)
  }
}

const statusOf = (error: unknown): number | undefined => (error as { status?: number }).status

/** Names the request for people, instead of by its path. */
function readable(what: string, error: unknown): Error {
  const { status, said = '' } = error as { status?: number; said?: string }
  return status === undefined ? new Error(what, { cause: error }) : new Error(`${what}: ${status} ${said}`.trimEnd())
}

/** Kubernetes' `data` and `caBundle` fields are base64 in JSON. */
export function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

export function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8')
}
