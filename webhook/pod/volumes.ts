import { liveAnnotations } from '../../shared/annotations.ts'
import {
  annotationPrefix,
  podinfoVolume,
  runVolume,
  secretsVolume,
  tokenAudience,
  tokenVolume,
} from '../../shared/names.ts'
import type { Plan } from '../plan.ts'
import type { Volume } from './pod.ts'

/** The volumes whose presence makes a pod ours, beside the container. */
export const ownVolumes = [secretsVolume, tokenVolume, podinfoVolume] as const

/** The sidecar's volumes: files in memory, a token to sign in with, live annotations, and on the host network a socket's folder. */
export function volumes({ configuration, identity, hostNetwork }: Plan): Volume[] {
  const expirationSeconds = identity.tokenLifetime
  return [
    { name: secretsVolume, emptyDir: { medium: 'Memory', sizeLimit: configuration.volumeSizeLimit } },
    {
      name: tokenVolume,
      projected: {
        sources: [{ serviceAccountToken: { audience: tokenAudience, expirationSeconds, path: 'token' } }],
      },
    },
    { name: podinfoVolume, downwardAPI: { items: podinfoFiles() } },
    ...(hostNetwork ? [{ name: runVolume, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }] : []),
  ]
}

/** One file per live annotation, named as the annotation, and the pod's own name and namespace. */
function podinfoFiles() {
  const live = liveAnnotations.map((name) => [name, `metadata.annotations['${annotationPrefix}${name}']`] as const)
  const fields = [...live, ['name', 'metadata.name'] as const, ['namespace', 'metadata.namespace'] as const]
  return fields.map(([path, fieldPath]) => ({ path, fieldRef: { fieldPath } }))
}
