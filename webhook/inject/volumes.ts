import { liveNames } from '../../shared/annotations/table.ts'
import { annotationPrefix, podinfoVolume, runVolume, secretsVolume, tokenVolume } from '../../shared/names.ts'
import type { Configuration } from '../configuration/configuration.ts'
import type { PodIdentity } from '../plan/identity.ts'
import type { Plan } from '../plan/plan.ts'
import type { ProjectedToken } from '../plan/tokens.ts'
import { isAllowedOnPods } from '../plan/effective-annotations.ts'
import type { Volume } from '../pod/pod.ts'

/**
 * Returns the sidecar's volumes: files in memory, tokens to sign in with (that of an identity binding is the workload identity
 * webhook's), live annotations, and on the host network a folder for the socket.
 */
export function volumes({ configuration, identity, tokens, hostNetwork }: Plan): Volume[] {
  return [
    { name: secretsVolume, emptyDir: { medium: 'Memory', sizeLimit: configuration.volumeSizeLimit } },
    ...(tokens.length === 0 ? [] : [tokenOf(identity, tokens)]),
    { name: podinfoVolume, downwardAPI: { items: podinfoFiles(configuration) } },
    ...(hostNetwork ? [{ name: runVolume, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }] : []),
  ]
}

const tokenOf = ({ tokenLifetime }: PodIdentity, tokens: readonly ProjectedToken[]): Volume => ({
  name: tokenVolume,
  projected: {
    sources: tokens.map(({ audience, path, lifetime: expirationSeconds = tokenLifetime }) => ({
      serviceAccountToken: { audience, expirationSeconds, path },
    })),
  },
})

/**
 * One file for each live annotation that pods may set, named like the annotation, and files for the pod's name and namespace. Annotations of
 * a running pod can be changed without a review, so those that the administrator forbids must not reach the sidecar.
 */
function podinfoFiles(configuration: Configuration) {
  const allowed = liveNames.filter((name) => isAllowedOnPods(name, configuration))
  const live = allowed.map((name) => [name, `metadata.annotations['${annotationPrefix}${name}']`] as const)
  const fields = [...live, ['name', 'metadata.name'] as const, ['namespace', 'metadata.namespace'] as const]
  return fields.map(([path, fieldPath]) => ({ path, fieldRef: { fieldPath } }))
}
