import type { Api } from './api.ts'

/**
 * The image that this very program runs in, read from its own Pod: what an overlay's `images:` changes for the webhook then holds
 * for sidecars too. RBAC: get on `pods` in the webhook's own namespace.
 */
export async function readOwnImage(api: Api, namespace: string, name: string, signal: AbortSignal): Promise<string> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
  const pod = (await api.call({ path, signal })) as { spec?: { containers?: { name?: string; image?: string }[] } }
  const containers = pod.spec?.containers ?? []
  const image = (containers.find((container) => container.name === 'webhook') ?? containers[0])?.image
  if (image === undefined) throw new Error(`pod ${namespace}/${name} names no image`)
  return image
}
