import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type PipelineRequest,
} from '@azure/core-rest-pipeline'
import { isObject, parseJson, readBody, retryAfterOf, serviceError, type Answer } from './answer.ts'
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
 * itself. Other ways to sign in (AD FS, a managed identity, an identity binding's proxy) are other functions of this type.
 */
export type Exchange = (scope: string, signal: AbortSignal) => Promise<Grant>

export interface FederatedExchangeOptions {
  /** `https://login.microsoftonline.com`, without a trailing slash. */
  authorityHost: string
  tenantId: string
  clientId: string
  /** The pod's projected ServiceAccount token; read at each exchange, since the kubelet renews it. */
  readToken: () => Promise<string>
  http: HttpClient
  agent?: PipelineRequest['agent'] | undefined
  now: () => number
}

/**
 * Entra ID's client credentials grant with a federated credential: the ServiceAccount token is the client's assertion
 * ({@link https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow}).
 */
export function federatedExchange(options: FederatedExchangeOptions): Exchange {
  const { authorityHost, tenantId, clientId, readToken, http, agent, now } = options
  const place = `sign-in of identity ${clientId} at ${authorityHost}/${tenantId}`
  return async (scope, signal) => {
    const assertion = await readAssertion(readToken, place)
    const form = {
      client_id: clientId,
      scope,
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }
    const request = createPipelineRequest({
      url: `${authorityHost}/${tenantId}/oauth2/v2.0/token`,
      method: 'POST',
      headers: createHttpHeaders({ accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }),
      body: new URLSearchParams(form).toString(),
      abortSignal: signal,
      streamResponseStatusCodes: new Set([Infinity]),
    })
    // createPipelineRequest takes this as an option and forgets it.
    if (agent) request.agent = agent
    const answer = await send(http, request, place, signal)
    return answer.status === 200 ? grantOf(answer, place) : refuse(answer, place, assertion, now())
  }
}

async function readAssertion(readToken: () => Promise<string>, place: string): Promise<string> {
  let token: string
  try {
    token = (await readToken()).trim()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new VaultFailure('sign-in', `${place}: the pod's token cannot be read: ${message}`, { code })
  }
  if (token === '') throw new VaultFailure('sign-in', `${place}: the file of the pod's token is empty`)
  return token
}

async function send(http: HttpClient, request: PipelineRequest, place: string, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await http.sendRequest(request)
    const text = await readBody(response.readableStreamBody as NodeJS.ReadableStream)
    return { status: response.status, header: (name) => response.headers.get(name), text }
  } catch (error) {
    if (signal.aborted)
      throw new VaultFailure('sign-in-unavailable', `${place}: no complete answer in time`, { code: 'ETIMEDOUT' })
    const { code, text } = describeConnection(error)
    throw new VaultFailure('sign-in-unavailable', `${place}: ${text}`, { code })
  }
}

function grantOf(answer: Answer, place: string): Grant {
  const body = parseJson(answer.text)
  const { access_token: token, expires_in, refresh_in } = isObject(body) ? body : {}
  const lifetime = seconds(expires_in)
  if (typeof token !== 'string' || token === '' || lifetime === undefined) {
    throw new VaultFailure('sign-in-unavailable', `${place}: 200, but the answer holds no token`, { status: 200 })
  }
  const refreshIn = seconds(refresh_in)
  return { token, lifetime, ...(refreshIn !== undefined && { refreshIn }) }
}

/** Some servers give numbers as text. */
function seconds(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && number > 0 && Number.isFinite(number) ? number * 1000 : undefined
}

function refuse(answer: Answer, place: string, assertion: string, now: number): never {
  const { status } = answer
  const error = serviceError(answer)
  const code = /AADSTS\d+/.exec(error.words ?? '')?.[0] ?? error.code
  const text = [error.words ?? `an answer that is not a sign-in service's`, remedyOf(code, assertion)]
    .filter(Boolean)
    .join('; ')
  throw new VaultFailure(kindOf(status), `${place}: ${status} ${text}`, {
    code,
    status,
    retryAfter: retryAfterOf(answer, now),
  })
}

function kindOf(status: number): FailureKind {
  return status === 408 || status === 429 || status >= 500 || status < 400 ? 'sign-in-unavailable' : 'sign-in'
}

/** What Entra ID's codes mean for a pod ({@link https://learn.microsoft.com/entra/identity-platform/reference-error-codes}). */
function remedyOf(code: string | undefined, assertion: string): string | undefined {
  if (code === undefined) return undefined
  if (/^AADSTS(70021\d{0,2}|700027)$/.test(code)) {
    return `the pod's token has ${claimsOf(assertion)}: the federated credential must have exactly these`
  }
  if (/^AADSTS(700016|7000229)$/.test(code)) return 'is the client id right, and is it of this tenant?'
  if (code === 'AADSTS90002') return 'is the tenant id right?'
  if (code === 'AADSTS700024') return `the pod's token has expired or a clock is wrong; it has ${claimsOf(assertion)}`
  return undefined
}

/** `issuer "...", subject "..." and audience "..."`: what the federated credential is matched against; nothing secret. */
function claimsOf(assertion: string): string {
  const body = parseJson(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString())
  const { iss, sub, aud } = isObject(body) ? body : {}
  const [issuer, subject, audience] = [iss, sub, [aud].flat().join(', ')].map((claim) =>
    JSON.stringify(claim)?.slice(0, 300),
  )
  return `issuer ${issuer}, subject ${subject} and audience ${audience}`
}
