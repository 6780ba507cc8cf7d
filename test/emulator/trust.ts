import { readFile } from 'node:fs/promises'
import { matches } from './glob.ts'
import { ask } from './https.ts'
import { claimsOf, isSignedBy, type Claims, type Jwks } from './jwt.ts'

/** Where an issuer publishes its keys; a cluster's API server wants a token and has a CA of its own. */
export type JwksSource = Jwks | { file: string } | { url: string; ca?: string; caFile?: string; tokenFile?: string }

export interface TrustedIssuer {
  /** The `iss` claim, to the letter. */
  issuer: string
  jwks: JwksSource
}

/** Who may be whom: a federated identity credential of an application or managed identity. */
export interface FederatedCredential {
  /** May be a pattern with `*`, unlike Entra ID's. */
  clientId: string
  issuer: string
  /** `system:serviceaccount:<namespace>:<name>`; unlike Entra ID's, it may be a pattern with `*`. */
  subject: string
  /** The emulator's own tenant by default. */
  tenant?: string
  /** `api://AzureADTokenExchange` by default. */
  audience?: string
}

/** An assertion as the token endpoint saw it, without the token itself. */
export interface SeenAssertion {
  time: number
  /** Under which name the token endpoint was asked. */
  host: string
  tenant: string
  client: string
  iss?: unknown
  sub?: unknown
  aud?: unknown
  /** Whether the issuer's published keys vouch for the signature; false also where it was refused before that was looked at. */
  verified: boolean
  /** `issued`, or the AADSTS code. */
  outcome: string
}

export const exchangeAudience = 'api://AzureADTokenExchange'

/** Why an assertion is refused: an AADSTS code and a sentence. */
export interface Refusal {
  code: number
  message: string
}

/** The published keys of the trusted issuers; those behind a file or a URL are read when a key id is not known yet. */
export class IssuerKeys {
  readonly #issuers: TrustedIssuer[]
  readonly #cache = new Map<TrustedIssuer, Jwks>()

  constructor(issuers: TrustedIssuer[]) {
    this.#issuers = issuers
  }

  trust(issuer: TrustedIssuer): void {
    this.#issuers.push(issuer)
  }

  /** Whether the named issuer's keys vouch for the token's signature. */
  async vouch(token: string, name: string): Promise<boolean> {
    for (const issuer of this.#issuers.filter((one) => one.issuer === name)) {
      const cached = this.#cache.get(issuer)
      if (cached && (await isSignedBy(token, cached))) return true
      const jwks = await readJwks(issuer.jwks)
      this.#cache.set(issuer, jwks)
      if (await isSignedBy(token, jwks)) return true
    }
    return false
  }
}

async function readJwks(source: JwksSource): Promise<Jwks> {
  if ('keys' in source) return source
  if ('file' in source) return JSON.parse(await readFile(source.file, 'utf8')) as Jwks
  const ca = source.ca ?? (source.caFile && (await readFile(source.caFile, 'utf8')))
  const token = source.tokenFile && (await readFile(source.tokenFile, 'utf8')).trim()
  const { status, body } = await ask(source.url, { ca, token })
  if (status !== 200) throw new Error(`${source.url} answered ${status}: ${body.slice(0, 200)}`)
  return JSON.parse(body) as Jwks
}

/** Checks an assertion as Entra ID does: the matching credential first, then signature and validity. */
export async function checkAssertion(
  assertion: string,
  candidates: FederatedCredential[],
  keys: IssuerKeys,
  now: number,
): Promise<{ claims: Claims; verified: boolean; refusal?: Refusal }> {
  const claims = claimsOf(assertion)
  if (!claims) return refuse(50027, 'The assertion is not a valid JWT.', {})
  const { iss, sub, exp, nbf } = claims
  const audiences = [claims['aud']].flat()
  const presented = `Assertion issuer: '${String(iss)}'. Assertion subject: '${String(sub)}'. Assertion audience: '${audiences.join()}'.`
  const matching = candidates.filter((one) => one.issuer === iss && matches(one.subject, String(sub)))
  if (!matching.length) return refuse(70021, `No federated identity record matches the assertion. ${presented}`, claims)
  if (!matching.some((one) => audiences.includes(one.audience ?? exchangeAudience)))
    return refuse(700212, `No federated identity record has the assertion's audience. ${presented}`, claims)
  if (!(await keys.vouch(assertion, String(iss))))
    return refuse(700027, `The signature of the assertion does not match the issuer's keys. ${presented}`, claims)
  if (typeof exp !== 'number' || exp * 1000 <= now || (typeof nbf === 'number' && nbf * 1000 > now + clockSkew))
    return { ...refuse(700024, 'The assertion is not within its valid time range.', claims), verified: true }
  return { claims, verified: true }
}

const clockSkew = 5 * 60 * 1000
const refuse = (code: number, message: string, claims: Claims) => ({
  claims,
  verified: false,
  refusal: { code, message },
})
