import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import type { JWK } from 'jose'
import { algorithmOf, signJwt, type Jwks } from './jwt.ts'

export interface ServiceAccountTokenOptions {
  namespace?: string
  serviceAccount?: string
  pod?: string
  audience?: string
  /** Seconds; negative for a token that has expired. */
  expiresIn?: number
  /** Claims that replace or add to the usual ones. */
  claims?: Record<string, unknown>
}

/** What signs ServiceAccount tokens in a cluster, for use where there is no cluster. */
export interface TestIssuer {
  /** The `iss` claim. */
  readonly issuer: string
  /** The public key, as `/openid/v1/jwks` would publish it. */
  readonly jwks: Jwks
  /** A token with the claims of a projected ServiceAccount token (Kubernetes, `BoundServiceAccountTokenVolume`). */
  token(options?: ServiceAccountTokenOptions): Promise<string>
}

export interface IssuerOptions {
  issuer?: string
  algorithm?: 'ES256' | 'RS256'
  now?: () => number
}

/** A fresh issuer with a key of its own; `now` is in milliseconds. */
export function makeIssuer({
  issuer = 'https://kubernetes.default.svc.cluster.local',
  algorithm = 'ES256',
  now = Date.now,
}: IssuerOptions = {}): TestIssuer {
  const { privateKey, publicKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomBytes(20).toString('base64url')
  return {
    issuer,
    jwks: {
      keys: [{ ...(publicKey.export({ format: 'jwk' }) as JWK), kid, alg: algorithmOf(privateKey), use: 'sig' }],
    },
    token({
      namespace = 'default',
      serviceAccount = 'default',
      pod = 'pod-0',
      audience = 'api://AzureADTokenExchange',
      expiresIn = 3600,
      claims = {},
    } = {}) {
      const iat = Math.floor(now() / 1000)
      const usual = {
        aud: [audience],
        exp: iat + expiresIn,
        iat,
        iss: issuer,
        jti: randomUUID(),
        'kubernetes.io': {
          namespace,
          pod: { name: pod, uid: randomUUID() },
          serviceaccount: { name: serviceAccount, uid: randomUUID() },
        },
        nbf: iat,
        sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
      }
      return signJwt({ ...usual, ...claims }, privateKey, kid)
    },
  }
}
