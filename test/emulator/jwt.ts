import type { KeyObject } from 'node:crypto'
import { compactVerify, createLocalJWKSet, decodeJwt, errors, SignJWT, type JSONWebKeySet, type JWTPayload } from 'jose'

/** The claims of a JWT; times are in seconds. */
export type Claims = JWTPayload
/** A JWKS document, as an issuer publishes it. */
export type Jwks = JSONWebKeySet

/** The algorithm of a private key: RS256 for RSA, ES256 for P-256. */
export const algorithmOf = (key: KeyObject) => (key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256')

/** Signs a JWT whose header names the key. */
export const signJwt = (claims: Claims, key: KeyObject, kid: string): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: algorithmOf(key), typ: 'JWT', kid }).sign(key)

/** Returns the claims without any check, or undefined if the text is no JWT. */
export function claimsOf(token: string): Claims | undefined {
  try {
    return decodeJwt(token)
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined
    throw error
  }
}

/** Returns whether the key that the token names is in the set and made the signature, with RS256 or ES256. */
export async function isSignedBy(token: string, jwks: Jwks): Promise<boolean> {
  try {
    await compactVerify(token, createLocalJWKSet(jwks), { algorithms: ['RS256', 'ES256'] })
    return true
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}
