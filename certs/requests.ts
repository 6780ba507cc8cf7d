import { ApiException, Observable, type ConfigurationOptions, type ObservableMiddleware } from '@kubernetes/client-node'

export const REQUEST_TIMEOUT_MS = 10_000

/** Options for one request. The client has no time limit of its own: an API server that does not answer would hold us up for ever. */
export function bounded(timeout: number): ConfigurationOptions<ObservableMiddleware> {
  const limit: ObservableMiddleware = {
    pre(request) {
      request.setSignal(AbortSignal.timeout(timeout))
      return new Observable(Promise.resolve(request))
    },
    post: (response) => new Observable(Promise.resolve(response)),
  }
  return { middleware: [limit], middlewareMergeStrategy: 'append' }
}

/** What was asked for; undefined where it does not exist. `what` begins the message of any other error. */
export async function orMissing<T>(what: string, request: Promise<T>): Promise<T | undefined> {
  return request.catch((error: unknown) => {
    if (isStatus(error, 404)) return undefined
    throw readable(what, error)
  })
}

/** Whether a write went through; false when what it was based on is not what is there: another version (409), or nothing (404). */
export async function orConflict(what: string, request: Promise<unknown>): Promise<boolean> {
  try {
    await request
    return true
  } catch (error) {
    if (isStatus(error, 409) || isStatus(error, 404)) return false
    throw readable(what, error)
  }
}

function isStatus(error: unknown, code: number): boolean {
  return error instanceof ApiException && error.code === code
}

/** The client's own message repeats body and headers; the sentence in the API server's Status is enough. */
function readable(what: string, error: unknown): Error {
  if (!(error instanceof ApiException)) return new Error(what, { cause: error })
  return new Error(`${what}: ${error.code} ${sentence(error.body)}`)
}

function sentence(body: unknown): string {
  try {
    const status = (typeof body === 'string' ? JSON.parse(body) : body) as { message?: unknown }
    return String(status.message)
  } catch {
    return ''
  }
}

/** Kubernetes' `data` and `caBundle` fields are base64 in JSON. */
export function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

export function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8')
}
