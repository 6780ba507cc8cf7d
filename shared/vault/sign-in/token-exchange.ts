import type { HttpClient, PipelineRequest } from '@azure/core-rest-pipeline'
import { isObject, parseJson, readBody, type Answer } from '../http-answer.ts'
import { describeConnection, endpointOf } from '../explain-failure.ts'
import { VaultFailure, type FailureKind } from '../store.ts'

/** An access token as the sign-in service grants it; durations in milliseconds. */
export interface Grant {
  token: string
  lifetimeMs: number
  /** When the service wants it to be renewed, counted from now. */
  refreshInMs?: number
}

/**
 * One sign-in: exchanges what a pod has for an access token. It never retries; there is one such function for each way to
 * sign in.
 * @throws {@link VaultFailure}
 */
export type Exchange = (scope: string, abort: AbortSignal) => Promise<Grant>

/**
 * Sends a request for a token; `place` begins every message.
 * @param untrusted what to do if the server's certificate is not trusted
 * @throws {@link VaultFailure} if there is no complete answer
 */
export async function send(
  http: HttpClient,
  request: PipelineRequest,
  place: string,
  untrusted?: string,
): Promise<Answer> {
  request.streamResponseStatusCodes = new Set([Infinity])
  try {
    const response = await http.sendRequest(request)
    const text = await readBody(response.readableStreamBody as NodeJS.ReadableStream)
    return { status: response.status, header: (name) => response.headers.get(name), text }
  } catch (error) {
    if (request.abortSignal?.aborted)
      throw new VaultFailure(
        'sign-in-unavailable',
        `${place}: ${endpointOf(request.url)} gave no complete answer in time`,
        { code: 'ETIMEDOUT' },
      )
    const { code, text } = describeConnection(error, endpointOf(request.url), untrusted)
    throw new VaultFailure('sign-in-unavailable', `${place}: ${text}`, { code, outlook: 'doubtful' })
  }
}

/** Reads the successful answer of a token endpoint. @throws {@link VaultFailure} if it has no token */
export function grantOf(answer: Answer, place: string): Grant {
  const body = parseJson(answer.text)
  const { access_token: token, expires_in, refresh_in } = isObject(body) ? body : {}
  const lifetimeMs = seconds(expires_in)
  if (typeof token !== 'string' || token === '' || lifetimeMs === undefined) {
    throw new VaultFailure('sign-in-unavailable', `${place}: 200, but the answer has no token`, {
      status: 200,
      outlook: 'doubtful',
    })
  }
  const refreshInMs = seconds(refresh_in)
  return { token, lifetimeMs, ...(refreshInMs !== undefined && { refreshInMs }) }
}

/** Some servers give numbers as text. */
function seconds(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && number > 0 && Number.isFinite(number) ? number * 1000 : undefined
}

/** The kind of failure that a status stands for: one that may pass soon, or a refusal. */
export function kindOf(status: number): FailureKind {
  return status === 408 || status === 429 || status >= 500 || status < 400 ? 'sign-in-unavailable' : 'sign-in'
}
