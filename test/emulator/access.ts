import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { VaultRoute } from './call.ts'
import { matches } from './glob.ts'
import type { JWK } from 'jose'
import { claimsOf, isSignedBy, signJwt, type Jwks } from './jwt.ts'

/** A permission of one client; every field is a pattern, absent means all. */
export interface Grant {
  vault?: string
  /** Such as `secrets/db-*`; absent: every object, and only then LIST is covered too, as with the service's roles. */
  object?: string
  /** Verbs such as `get`, `list`, `versions`, `set`; absent: all. */
  verbs?: string[]
}

/** Names and attributes, and no value, as the service's role Key Vault Reader. */
export const metadataOnly: Grant[] = [{ verbs: ['list', 'versions'] }]

/** The clients' permissions. A client without an entry may do everything. */
export class Access {
  readonly #grants = new Map<string, Grant[]>()

  /** Replaces a client's permissions; null takes the entry away. */
  set(client: string, grants: Grant[] | null): void {
    if (grants) this.#grants.set(client.toLowerCase(), grants)
    else this.#grants.delete(client.toLowerCase())
  }

  clear(): void {
    this.#grants.clear()
  }

  allows(client: string, vault: string, { collection, object, verb }: VaultRoute): boolean {
    const grants = this.#grants.get(client.toLowerCase())
    return (
      !grants ||
      grants.some(
        (grant) =>
          matches(grant.vault, vault) &&
          matches(grant.object, object && `${collection}/${object}`) &&
          (!grant.verbs || grant.verbs.includes(verb)),
      )
    )
  }
}

export interface TokenRequest {
  tenant: string
  client: string
  /** The audience, such as `https://vault.azure.net`. */
  resource: string
  /** Seconds. */
  lifetime: number
}

export interface TokenClaims {
  aud: string
  appid: string
  oid: string
  tid: string
  iss: string
  exp: number
  serial: number
}

/** Access tokens: what the token endpoint issues and the vaults check. */
export class Tokens {
  readonly #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly #kid = randomUUID()
  readonly #now: () => number
  readonly jwks: Jwks = {
    keys: [{ ...(this.#pair.publicKey.export({ format: 'jwk' }) as JWK), kid: this.#kid, use: 'sig' }],
  }
  #issued = 0
  #revoked = 0

  constructor(now: () => number) {
    this.#now = now
  }

  issue({ tenant, client, resource, lifetime }: TokenRequest): Promise<string> {
    const iat = Math.floor(this.#now() / 1000)
    const iss = `https://sts.windows.net/${tenant}/`
    const claims = { aud: resource, iss, iat, nbf: iat, exp: iat + lifetime, appid: client, oid: client, tid: tenant }
    return signJwt({ ...claims, serial: ++this.#issued }, this.#pair.privateKey, this.#kid)
  }

  /** Refuses every token issued so far, although none has expired. */
  revoke(): void {
    this.#revoked = this.#issued
  }

  /** The claims of a good token for this tenant and resource, or why it is refused. */
  async check(token: string, tenant: string, resource: string): Promise<TokenClaims | string> {
    const claims = claimsOf(token) as TokenClaims | undefined
    if (!claims || !(await isSignedBy(token, this.jwks))) return 'The signature of the token is not valid.'
    if (claims.aud !== resource) return `AKV10022: Invalid audience. Expected ${resource}, found ${claims.aud}.`
    if (claims.tid !== tenant) return `AKV10032: Invalid issuer. Expected the tenant ${tenant}, found ${claims.iss}.`
    if (claims.exp * 1000 <= this.#now()) return 'The token has expired.'
    if (claims.serial <= this.#revoked) return 'The token has been revoked.'
    return claims
  }
}
