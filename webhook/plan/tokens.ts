import type { Cloud } from '../../shared/clouds/clouds.ts'
import { tokenAudience } from '../../shared/names.ts'
import type { Identity } from '../../shared/settings/codec.ts'
import type { PodIdentity } from './identity.ts'

/** A ServiceAccount token in the sidecar's token volume. */
export interface ProjectedToken {
  audience: string
  /** Relative to the volume. */
  path: string
  /** In seconds; absent for the lifetime of the pod's identity. */
  lifetime?: number
}

type Clouds = Readonly<Record<string, Cloud>>

const audienceOf = (cloud: Cloud | undefined): string => cloud?.tokenAudience ?? tokenAudience

/** Returns the tokens that a pod's identities sign in with: one for each audience, the pod's own cloud first. */
export function tokensOf(pod: PodIdentity, identities: readonly Identity[], clouds: Clouds): ProjectedToken[] {
  const signingIn = identities.filter(({ mode }) => mode === undefined).map(({ cloud }) => audienceOf(clouds[cloud]))
  const audiences = [...new Set([audienceOf(pod.cloud), ...signingIn])]
  return audiences.map((audience, index) => ({ audience, path: index === 0 ? 'token' : `token-${index}` }))
}

/** Returns the identity with its token file, unless it uses the token of the pod's own cloud. */
export function withToken(identity: Identity, clouds: Clouds, tokens: readonly ProjectedToken[]): Identity {
  if (identity.mode !== undefined) return identity
  const index = tokens.findIndex(({ audience }) => audience === audienceOf(clouds[identity.cloud]))
  const token = index > 0 ? tokens[index] : undefined
  return token === undefined ? identity : { ...identity, tokenFile: token.path }
}
