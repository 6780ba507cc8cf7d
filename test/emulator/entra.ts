import type { Tokens } from './access.ts'
import type { Call } from './call.ts'
import { aadstsError, type Answer } from './errors.ts'
import { matches } from './glob.ts'
import { claimsOf } from './jwt.ts'
import { checkAssertion, type FederatedCredential, type IssuerKeys, type Refusal, type SeenAssertion } from './trust.ts'

/** The part of Entra ID that a workload identity needs. */
export interface Entra {
  /** The tenant of the vaults, and of credentials that name none. */
  tenant: string
  /** The URL that challenges name, with a slash at the end. */
  authorityHost: string
  credentials: FederatedCredential[]
  keys: IssuerKeys
  tokens: Tokens
  /** Of the issued access tokens, in seconds. */
  tokenLifetime: number
  /** Adds `refresh_in` (seconds) to the token endpoint's answers. */
  refreshIn?: number | undefined
  /** What was presented to the token endpoint, oldest first; the last thousand. */
  seen: SeenAssertion[]
}

export type EntraOperation = 'token' | 'openid' | 'instance' | 'keys'

export interface EntraRoute {
  operation: EntraOperation
  tenant: string
}

const routes: [method: string, shape: RegExp, operation: EntraOperation][] = [
  ['GET', /^\/(common)\/discovery\/instance$/, 'instance'],
  ['GET', /^\/([^/]+)\/v2\.0\/\.well-known\/openid-configuration$/, 'openid'],
  ['GET', /^\/([^/]+)\/discovery\/v2\.0\/keys$/, 'keys'],
  ['POST', /^\/([^/]+)\/oauth2\/v2\.0\/token$/, 'token'],
  // Active Directory Federation Services have no versions.
  ['GET', /^\/(adfs)\/\.well-known\/openid-configuration$/, 'openid'],
  ['GET', /^\/(adfs)\/discovery\/keys$/, 'keys'],
  ['POST', /^\/(adfs)\/oauth2\/token$/, 'token'],
]

export function entraRoute({ method, path }: Pick<Call, 'method' | 'path'>): EntraRoute | undefined {
  for (const [verb, shape, operation] of routes) {
    const tenant = verb === method ? shape.exec(path)?.[1] : undefined
    if (tenant) return { operation, tenant }
  }
  return undefined
}

export async function answerEntra(call: Call, route: EntraRoute, entra: Entra, now: number): Promise<Answer> {
  const base = `https://${call.host}`
  switch (route.operation) {
    case 'instance':
      return { status: 200, body: instance(call) }
    case 'keys':
      return { status: 200, body: entra.tokens.jwks }
    case 'openid':
      return isTenant(entra, route.tenant)
        ? { status: 200, body: openid(base, route.tenant) }
        : aadstsError(90002, `Tenant '${route.tenant}' not found.`, now)
    case 'token':
      return token(call, route.tenant, entra, now)
  }
}

/** The client id that a token request names, for the journal. */
export const clientOf = (call: Call) => new URLSearchParams(call.body).get('client_id') ?? undefined

const isTenant = (entra: Entra, tenant: string) =>
  tenant === entra.tenant || entra.credentials.some((one) => one.tenant === tenant)

/** Vouches for whatever host is asked about, as MSAL's instance discovery wants to hear it. */
function instance(call: Call) {
  const endpoint = new URL(call.query.get('authorization_endpoint') ?? `https://${call.host}/common`)
  const tenant = endpoint.pathname.split('/')[1] ?? 'common'
  return {
    tenant_discovery_endpoint: `${endpoint.origin}/${tenant}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: endpoint.host, preferred_cache: endpoint.host, aliases: [endpoint.host] }],
  }
}

/** The issuer has the host that was asked: MSAL refuses another (`validateIssuer` in @azure/msal-common). */
const openid = (base: string, tenant: string) => ({
  ...endpoints(`${base}/${tenant}`, tenant === 'adfs' ? '' : '/v2.0'),
  token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
  response_types_supported: ['code', 'id_token', 'token'],
  subject_types_supported: ['pairwise'],
  id_token_signing_alg_values_supported: ['ES256'],
})

const endpoints = (authority: string, version: string) => ({
  issuer: `${authority}${version}`,
  authorization_endpoint: `${authority}/oauth2${version}/authorize`,
  token_endpoint: `${authority}/oauth2${version}/token`,
  jwks_uri: `${authority}/discovery${version}/keys`,
})

async function token({ host, body }: Call, tenant: string, entra: Entra, now: number): Promise<Answer> {
  const form = new URLSearchParams(body)
  const client = form.get('client_id') ?? ''
  const assertion = form.get('client_assertion') ?? ''
  const candidates = entra.credentials.filter(
    (one) => matches(one.clientId, client) && (one.tenant ?? entra.tenant) === tenant,
  )
  const malformed = checkForm(form, tenant, candidates, entra)
  const { claims, verified, refusal } = malformed
    ? { claims: claimsOf(assertion) ?? {}, verified: false, refusal: malformed }
    : await checkAssertion(assertion, candidates, entra.keys, now)
  const { iss, sub, aud } = claims
  const outcome = refusal ? `AADSTS${refusal.code}` : 'issued'
  entra.seen.push({ time: now, host, tenant, client, iss, sub, aud, verified, outcome })
  if (entra.seen.length > 1000) entra.seen.shift()
  return refusal ? aadstsError(refusal.code, refusal.message, now) : issue(form, tenant, client, entra)
}

async function issue(form: URLSearchParams, tenant: string, client: string, entra: Entra): Promise<Answer> {
  const resource = resourceOf(form) ?? ''
  const { tokenLifetime: lifetime, refreshIn } = entra
  return {
    status: 200,
    body: {
      token_type: 'Bearer',
      expires_in: lifetime,
      ext_expires_in: lifetime,
      ...(refreshIn !== undefined && { refresh_in: refreshIn }),
      access_token: await entra.tokens.issue({ tenant, client, resource, lifetime }),
    },
  }
}

/** MSAL for Go adds these to every request; with this grant Entra ID ignores them. */
const openIdScopes: ReadonlySet<string> = new Set(['openid', 'offline_access', 'profile', 'email'])

/** The resource that a token is requested for; undefined if the scope does not name exactly one by its `/.default`. */
function resourceOf(form: URLSearchParams): string | undefined {
  const [scope = '', ...others] = (form.get('scope') ?? '').split(/ +/).filter((one) => !openIdScopes.has(one))
  return others.length === 0 ? /^(https:\/\/[^ ]+)\/\.default$/.exec(scope)?.[1] : undefined
}

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Everything about a token request that can be refused without looking into the assertion. */
function checkForm(
  form: URLSearchParams,
  tenant: string,
  candidates: FederatedCredential[],
  entra: Entra,
): Refusal | undefined {
  const client = form.get('client_id')
  if (!isTenant(entra, tenant)) return { code: 90002, message: `Tenant '${tenant}' not found.` }
  if (!client) return { code: 90014, message: "The parameter 'client_id' is missing." }
  if (form.get('grant_type') !== 'client_credentials')
    return { code: 70003, message: 'The grant type is not supported.' }
  if (!candidates.length)
    return { code: 700016, message: `Application '${client}' was not found in the directory '${tenant}'.` }
  if (resourceOf(form) === undefined) return { code: 70011, message: 'The scope is not valid.' }
  if (form.get('client_assertion_type') !== assertionType || !form.get('client_assertion'))
    return { code: 7000218, message: "The request must hold 'client_assertion'." }
  return undefined
}
