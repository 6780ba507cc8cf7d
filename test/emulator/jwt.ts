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

/** Whether one of `keys` made the signature: RS256 or ES256, as the key is. */
export function isSignedBy(token: string, keys: PublishedKey[]): boolean {
  const dot = token.lastIndexOf('.')
  const signed = Buffer.from(token.slice(0, dot))
  const signature = Buffer.from(token.slice(dot + 1), 'base64url')
  return keys
    .map((key) => createPublicKey({ key, format: 'jwk' }))
    .some((key) => verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature))
}
