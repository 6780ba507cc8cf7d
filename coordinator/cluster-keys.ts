import type { Api } from '../shared/kubernetes/api.ts'
import type { ClusterKeys } from './keys.ts'

const timeoutMs = 10_000
/** The API server answers 406 to a request that accepts JSON alone. */
const keySetTypes = 'application/jwk-set+json, application/json'

/**
 * Reads the keys of ServiceAccount tokens from the API server, which every ServiceAccount may do
 * ({@link https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery}).
 */
export async function readClusterKeys(api: Pick<Api, 'call'>): Promise<ClusterKeys> {
  const signal = AbortSignal.timeout(timeoutMs)
  const [discovery, jwks] = await Promise.all([
    api.call({ path: '/.well-known/openid-configuration', signal }) as Promise<{ issuer?: unknown } | null>,
    api.call({ path: '/openid/v1/jwks', accept: keySetTypes, signal }) as Promise<ClusterKeys['jwks']>,
  ])
  if (typeof discovery?.issuer !== 'string') throw new Error("the cluster's discovery document names no issuer")
  return { issuer: discovery.issuer, jwks }
}
