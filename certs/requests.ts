export const REQUEST_TIMEOUT_MS = 10_000

export interface ApiRequest {
  method?: 'GET' | 'PUT' | 'PATCH'
  /** with its query */
  path: string
  contentType?: string
  body?: unknown
  signal?: AbortSignal
}

/** What is used of the Kubernetes API. Rejections for an answer that is not 2xx have its `status` and what the API server `said`. */
export interface Api {
  call(request: ApiRequest): Promise<unknown>
  /** gives each line of the answer as JSON, until the server or the signal ends it */
  follow(request: ApiRequest, each: (item: unknown) => void): Promise<void>
}

/** What was asked for; undefined where it does not exist. `what` begins the message of any other error. */
export async function orMissing<T>(what: string, request: Promise<T>): Promise<T | undefined> {
  return request.catch((error: unknown) => {
    if (statusOf(error) === 404) return undefined
    throw readable(what, error)
  })
}

/** Whether a write went through; false when what it was based on is not what is there: another version (409), or nothing (404). */
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

/** The request's own message names it by its path; `what` is what people call it. */
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
