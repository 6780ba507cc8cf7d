import { createPublicKey, sign, verify, type JsonWebKey, type KeyObject } from 'node:crypto'

export type Claims = Record<string, unknown>
/** A JSON Web Key as JWKS documents publish it. */
export type PublishedKey = JsonWebKey & { kid?: string; alg?: string; use?: string }
export interface Jwks {
  keys: PublishedKey[]
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A compact JWS over `claims`: RS256 for RSA keys, ES256 for P-256 keys. */
export function signJwt(claims: Claims, key: KeyObject, kid: string): string {
  const alg = key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256'
  const signed = `${encode({ alg, typ: 'JWT', kid })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** Header and claims without any check, or undefined if this is no JWT. */
export function decodeJwt(token: string): { header: Claims; claims: Claims } | undefined {
  try {
    const parts = token.split('.')
    if (parts.length !== 3) return undefined
    const [header, claims] = parts
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims)
    return header && claims && { header, claims }
  } catch {
    return undefined
  }
}

/** Whether one of `keys` (the one with the token's `kid`, if it names one) made the signature. RS256 and ES256 only. */
export function isSignedBy(token: string, keys: PublishedKey[]): boolean {
  const header = decodeJwt(token)?.header
  const type = header?.['alg'] === 'RS256' ? 'RSA' : header?.['alg'] === 'ES256' ? 'EC' : undefined
  const dot = token.lastIndexOf('.')
  return keys
    .filter((key) => key.kty === type && (header?.['kid'] === undefined || key.kid === header['kid']))
    .some((jwk) =>
      verify(
        'sha256',
        Buffer.from(token.slice(0, dot)),
        { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
        Buffer.from(token.slice(dot + 1), 'base64url'),
      ),
    )
}
