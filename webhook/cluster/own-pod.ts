import type { Api } from '../../shared/kubernetes/api.ts'

/**
 * Returns the image of the webhook's own Pod, so that an overlay's `images:` applies to sidecars too. RBAC: get on `pods` in the webhook's own
 * namespace.
 */
export async function readOwnImage(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<string> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
  const pod = (await api.call({ path, signal })) as { spec?: { containers?: { name?: string; image?: string }[] } }
  const containers = pod.spec?.containers ?? []
  const image = (containers.find((container) => container.name === 'webhook') ?? containers[0])?.image
  if (image === undefined) throw new Error(`pod ${namespace}/${name} has no image: set SIDECAR_IMAGE`)
  return image
}
