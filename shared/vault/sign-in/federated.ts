import { createHttpHeaders, type HttpClient, type PipelineRequest } from '@azure/core-rest-pipeline'
import type { Clock } from '../../clock.ts'
import { ClientAssertionCredential } from '@azure/identity'
import { isAdfs } from '../../clouds/tenant.ts'
import { isObject, parseJson, retryAfterOf, serviceError, type Answer } from '../http-answer.ts'
import { grantOf, kindOf, send, type Exchange, type Grant } from './token-exchange.ts'
import type { TokenProxy } from './token-proxy.ts'
import { VaultFailure } from '../store.ts'

export interface FederatedExchangeOptions {
  /** `https://login.microsoftonline.com`, without a trailing slash. */
  authorityHost: string
  tenantId: string
  clientId: string
  /** The pod's projected ServiceAccount token; read at each exchange, since the kubelet renews it. */
  readToken: () => Promise<string>
  http: HttpClient
  agent?: PipelineRequest['agent'] | undefined
  /** For an identity binding: receives the requests instead of the authority. */
  proxy?: TokenProxy | undefined
  clock: Pick<Clock, 'now'>
}

/**
 * Where an authority issues tokens. AD FS, as MSAL calls it by the tenant `adfs`, has the older endpoint
 * ({@link https://learn.microsoft.com/windows-server/identity/ad-fs/overview/ad-fs-openid-connect-oauth-concepts}).
 */
export const tokenUrl = (authorityHost: string, tenantId: string): string =>
  `${authorityHost}/${tenantId}/${isAdfs(tenantId) ? 'oauth2/token' : 'oauth2/v2.0/token'}`

/**
 * Entra ID's client credentials grant with a federated credential: the ServiceAccount token is the client's assertion
 * ({@link https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow}). The request is the Azure SDK's,
 * made by a credential of its own for each exchange, so that no cache but ours keeps a token or a failure.
 */
export function createFederatedExchange(options: FederatedExchangeOptions): Exchange {
  const { authorityHost, tenantId, clientId, readToken, proxy } = options
  const through = proxy ? ` through the token proxy ${proxy.url}` : ''
  const place = `sign-in of identity ${clientId} at ${authorityHost}/${tenantId}${through}`
  return async (scope, abort) => {
    const assertion = await readAssertion(readToken, place)
    const wire: Wire = { options, place, assertion, abort }
    const credential = new ClientAssertionCredential(tenantId, clientId, () => Promise.resolve(assertion), {
      authorityHost: new URL(authorityHost).origin,
      disableInstanceDiscovery: true,
      retryOptions: { maxRetries: 0 },
      redirectOptions: { maxRetries: 0 },
      httpClient: { sendRequest: (request) => sendOver(wire, request) },
    })
    // What the SDK says of a failure may quote the answer; what came over the wire tells more.
    const token = await credential.getToken(scope).catch(() => undefined)
    if (wire.failure) throw wire.failure
    if (!token || !wire.grant)
      throw new VaultFailure('sign-in-unavailable', `${place}: the Azure SDK could not use the answer`)
    return { ...wire.grant, token: token.token }
  }
}

/** One exchange on its way, and what came of it. */
interface Wire {
  readonly options: FederatedExchangeOptions
  readonly place: string
  readonly assertion: string
  readonly abort: AbortSignal
  grant?: Grant
  failure?: Error
}

/** Sends what the SDK wants to be sent, under our time limit and bounds, and keeps what came back. */
async function sendOver(wire: Wire, request: PipelineRequest): ReturnType<HttpClient['sendRequest']> {
  const answered = (bodyAsText: string) => ({ request, status: 200, headers: createHttpHeaders(), bodyAsText })
  if (request.method === 'GET') return answered(JSON.stringify(metadata(request, wire.options)))
  try {
    const answer = await sendOnce(wire, request)
    wire.grant = grantOf(answer, wire.place)
    return answered(answer.text)
  } catch (error) {
    wire.failure = error as Error
    throw error
  }
}

/** The metadata of an authority, which the SDK looks up before each sign-in, are known without a request. */
function metadata({ url }: PipelineRequest, { authorityHost, tenantId }: FederatedExchangeOptions) {
  const { origin } = new URL(url)
  const endpoint = tokenUrl(authorityHost, tenantId)
  return {
    issuer: `${origin}/${tenantId}`,
    authorization_endpoint: endpoint,
    token_endpoint: endpoint,
    jwks_uri: endpoint,
  }
}

async function sendOnce({ options, place, assertion, abort }: Wire, request: PipelineRequest): Promise<Answer> {
  const { authorityHost, tenantId, http, proxy, clock } = options
  const direct = tokenUrl(authorityHost, tenantId)
  const { url, agent } = proxy ? await proxy.route(direct, place) : { url: direct, agent: options.agent }
  request.url = url
  request.abortSignal = abort
  request.headers.delete('accept-encoding')
  if (agent) request.agent = agent
  const answer = await send(http, request, place, proxy?.untrusted)
  return answer.status === 200 ? answer : refuse(answer, place, assertion, clock.now())
}

async function readAssertion(readToken: () => Promise<string>, place: string): Promise<string> {
  let token: string
  try {
    token = (await readToken()).trim()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new VaultFailure('sign-in', `${place}: the pod's token cannot be read: ${message}`, { code })
  }
  if (token === '') throw new VaultFailure('sign-in', `${place}: the pod's token file is empty`)
  return token
}

function refuse(answer: Answer, place: string, assertion: string, now: number): never {
  const { status } = answer
  const error = serviceError(answer)
  const code = /AADSTS\d+/.exec(error.words ?? '')?.[0] ?? error.code
  const text = [error.words ?? `an answer that no sign-in service sends`, remedyOf(code, assertion)]
    .filter(Boolean)
    .join('; ')
  throw new VaultFailure(kindOf(status), `${place}: ${status} ${text}`, {
    code,
    status,
    retryAfter: retryAfterOf(answer, now),
  })
}

/** What Entra ID's codes mean for a pod ({@link https://learn.microsoft.com/entra/identity-platform/reference-error-codes}). */
function remedyOf(code: string | undefined, assertion: string): string | undefined {
  if (code === undefined) return undefined
  if (/^AADSTS(70021\d{0,2}|700027)$/.test(code)) {
    return `the federated credential must have exactly the pod's token's ${claimsOf(assertion)}`
  }
  if (/^AADSTS(700016|7000229)$/.test(code)) return 'is the client ID right, and does it belong to this tenant?'
  if (code === 'AADSTS90002') return 'is the tenant ID right?'
  if (code === 'AADSTS700024')
    return `the pod's token has expired, or a clock is wrong; the token has ${claimsOf(assertion)}`
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
