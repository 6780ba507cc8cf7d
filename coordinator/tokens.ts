import { createLocalJWKSet, errors, jwtVerify, type JWTPayload } from 'jose'
import type { Clock } from '../shared/clock.ts'
import { audiencePrefix } from '../shared/coordination/limits.ts'
import { fail, ok, type Result } from '../shared/result.ts'
import type { KeySource } from './keys.ts'

/** Who holds a session, from the claims of its token alone. */
export interface PodIdentity {
  namespace: string
  serviceAccount: string
  pod: string
  uid: string
  /** The group of pods that it belongs to, from the audience. */
  group: string
  /** When the token expires, in milliseconds since 1970. */
  expires: number
}

/** Verifies a token locally: a TokenReview for each of 10,000 sidecars after a restart would burden the API server. */
export type VerifyToken = (token: string) => Promise<Result<PodIdentity>>

const algorithms = ['RS256', 'ES256']
/** Clocks of the API server and of this node may differ so much, in seconds. */
const clockTolerance = 5

export function createTokenVerifier(keys: KeySource, clock: Pick<Clock, 'now'>): VerifyToken {
  const verify = async (token: string): Promise<JWTPayload> => {
    const { issuer, jwks } = await keys.current()
    const options = { issuer, algorithms, clockTolerance, currentDate: new Date(clock.now()) }
    return (await jwtVerify(token, createLocalJWKSet(jwks), options)).payload
  }
  return async (token) => {
    try {
      return identityOf(await verify(token))
    } catch (error) {
      const isUnknownKey = error instanceof errors.JWKSNoMatchingKey
      if (!(error instanceof errors.JOSEError)) throw error
      if (!isUnknownKey || !(await keys.renew())) return fail(`the token is not valid: ${error.code}`)
    }
    try {
      return identityOf(await verify(token))
    } catch (error) {
      if (error instanceof errors.JOSEError) return fail(`the token is not valid: ${error.code}`)
      throw error
    }
  }
}

/** Reads the claims of a projected ServiceAccount token, which is bound to its pod. */
function identityOf({ aud, exp, ...claims }: JWTPayload): Result<PodIdentity> {
  const [audience, ...others] = [aud ?? []].flat()
  const group = audience?.startsWith(audiencePrefix) ? audience.slice(audiencePrefix.length) : ''
  if (group === '' || others.length > 0) return fail('the token is for another audience')
  const bound = (claims['kubernetes.io'] ?? {}) as Record<string, { name?: unknown; uid?: unknown } | undefined>
  const namespace: unknown = bound['namespace']
  const { name: pod, uid } = bound['pod'] ?? {}
  const { name: serviceAccount } = bound['serviceaccount'] ?? {}
  if (!isText(namespace) || !isText(pod) || !isText(uid) || !isText(serviceAccount) || exp === undefined) {
    return fail('the token is not that of a pod')
  }
  return ok({ namespace, serviceAccount, pod, uid, group, expires: exp * 1000 })
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
