import type { HttpClient, PipelineRequest } from '@azure/core-rest-pipeline'
import { isObject, parseJson, readBody, type Answer } from './answer.ts'
import { describeConnection } from './failures.ts'
import { VaultFailure, type FailureKind } from './vault.ts'

/** An access token as the sign-in service grants it; durations in milliseconds. */
export interface Grant {
  token: string
  lifetime: number
  /** When the service wants it to be renewed, counted from now. */
  refreshIn?: number
}

/**
 * One sign-in: whatever a pod has is exchanged for an access token. Throws a {@link VaultFailure}, and is never retried by
 * itself. There is one such function for each way to sign in.
 */
export type Exchange = (scope: string, signal: AbortSignal) => Promise<Grant>

/**
 * Sends a request for a token; `place` begins every message.
 * @param untrusted what to do where the server's certificate is not trusted
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
      throw new VaultFailure('sign-in-unavailable', `${place}: no complete answer in time`, { code: 'ETIMEDOUT' })
    const { code, text } = describeConnection(error, untrusted)
    throw new VaultFailure('sign-in-unavailable', `${place}: ${text}`, { code, outlook: 'doubtful' })
  }
}

/** Reads the answer of a token endpoint that is a success. */
export function grantOf(answer: Answer, place: string): Grant {
  const body = parseJson(answer.text)
  const { access_token: token, expires_in, refresh_in } = isObject(body) ? body : {}
  const lifetime = seconds(expires_in)
  if (typeof token !== 'string' || token === '' || lifetime === undefined) {
    throw new VaultFailure('sign-in-unavailable', `${place}: 200, but the answer holds no token`, {
      status: 200,
      outlook: 'doubtful',
    })
  }
  const refreshIn = seconds(refresh_in)
  return { token, lifetime, ...(refreshIn !== undefined && { refreshIn }) }
}

/** Some servers give numbers as text. */
function seconds(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && number > 0 && Number.isFinite(number) ? number * 1000 : undefined
}

/** Whether a refusal may well be over soon. */
export function kindOf(status: number): FailureKind {
  return status === 408 || status === 429 || status >= 500 || status < 400 ? 'sign-in-unavailable' : 'sign-in'
}
