import { liveAnnotations } from '../../shared/annotations.ts'
import { annotationPrefix, podinfoVolume, runVolume, secretsVolume, tokenVolume } from '../../shared/names.ts'
import type { Configuration } from '../configuration.ts'
import type { PodIdentity } from '../identity.ts'
import type { Plan } from '../plan.ts'
import type { ProjectedToken } from '../tokens.ts'
import { isAllowedOnPods } from '../values.ts'
import type { Volume } from './pod.ts'

/**
 * The sidecar's volumes: files in memory, a token to sign in with (that of an identity binding is the workload identity webhook's),
 * live annotations, and on the host network a socket's folder.
 */
export function volumes({ configuration, identity, tokens, hostNetwork }: Plan): Volume[] {
  return [
    { name: secretsVolume, emptyDir: { medium: 'Memory', sizeLimit: configuration.volumeSizeLimit } },
    ...(identity.mode === 'identity-binding' ? [] : [tokenOf(identity, tokens)]),
    { name: podinfoVolume, downwardAPI: { items: podinfoFiles(configuration) } },
    ...(hostNetwork ? [{ name: runVolume, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }] : []),
  ]
}

const tokenOf = ({ tokenLifetime: expirationSeconds }: PodIdentity, tokens: readonly ProjectedToken[]): Volume => ({
  name: tokenVolume,
  projected: {
    sources: tokens.map(({ audience, path }) => ({ serviceAccountToken: { audience, expirationSeconds, path } })),
  },
})

/**
 * One file per live annotation that pods may set, named as the annotation, and the pod's own name and namespace. A running pod's
 * annotations can be changed without a review, so what the administrator forbids must not reach the sidecar.
 */
function podinfoFiles(configuration: Configuration) {
  const allowed = liveAnnotations.filter((name) => isAllowedOnPods(name, configuration))
  const live = allowed.map((name) => [name, `metadata.annotations['${annotationPrefix}${name}']`] as const)
  const fields = [...live, ['name', 'metadata.name'] as const, ['namespace', 'metadata.namespace'] as const]
  return fields.map(([path, fieldPath]) => ({ path, fieldRef: { fieldPath } }))
}
