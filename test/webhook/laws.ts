import type { Container, Pod } from '../../webhook/pod/pod.ts'

const containers = new Set(['akv-injector', 'akv-injector-init'])
const volumes = new Set(['akv-injector-secrets', 'akv-injector-token', 'akv-injector-podinfo', 'akv-injector-run'])
const annotations = new Set(['azure.keyvault.injector/status', 'azure.keyvault.injector/version'])

const meshAnnotations = [
  'traffic.sidecar.istio.io/excludeOutboundPorts',
  'traffic.sidecar.istio.io/excludeInboundPorts',
  'config.linkerd.io/skip-outbound-ports',
  'config.linkerd.io/skip-inbound-ports',
]

/**
 * An injected pod without what the documentation lists as additions, written apart from the code that adds them. What is left
 * must be the pod that was received: a list or map that was not there and is empty now goes as well.
 */
export function withoutAdditions(received: Pod, injected: Pod): Pod {
  const pod = structuredClone(injected) as Pod & { spec: Record<string, unknown> }
  const { spec, metadata = {} } = pod
  for (const name of annotations) delete metadata.annotations?.[name]
  for (const name of meshAnnotations) if (!received.metadata?.annotations?.[name]) delete metadata.annotations?.[name]
  if (received.metadata?.annotations === undefined) delete metadata.annotations
  if (received.metadata === undefined) delete pod.metadata

  for (const field of ['initContainers', 'containers'] as const) {
    const left = (spec[field] ?? []).filter(({ name }) => !containers.has(name))
    for (const container of left) unmount(container, find(received, container.name))
    if (received.spec[field] === undefined) delete spec[field]
    else spec[field] = left
  }
  const others = (spec.volumes ?? []).filter(({ name }) => !volumes.has(name))
  // A placeholder of the user's stood where ours is now.
  const placeholders = received.spec.volumes?.filter(({ name }) => volumes.has(name)) ?? []
  spec.volumes = placeholders.length > 0 ? inOrderOf(received.spec.volumes ?? [], [...placeholders, ...others]) : others
  if (received.spec.volumes === undefined) delete spec.volumes
  if (received.spec.shareProcessNamespace === undefined) delete spec.shareProcessNamespace
  if (received.spec.imagePullSecrets === undefined) delete spec.imagePullSecrets
  else spec.imagePullSecrets = spec.imagePullSecrets?.slice(0, received.spec.imagePullSecrets.length) ?? []
  return pod
}

const inOrderOf = <T extends { name: string }>(order: readonly T[], items: readonly T[]): T[] =>
  items.toSorted((a, b) => order.findIndex(({ name }) => name === a.name) - order.findIndex(({ name }) => name === b.name)) // prettier-ignore

const find = ({ spec }: Pod, name: string): Container | undefined =>
  [...(spec.initContainers ?? []), ...(spec.containers ?? [])].find((container) => container.name === name)

/** One mount, the last, read-only, and not the user's own. */
function unmount(container: Container, received: Container | undefined): void {
  const had = received?.volumeMounts?.length ?? 0
  const added = container.volumeMounts?.slice(had) ?? []
  if (added.length > 1 || added.some(({ name, readOnly }) => !volumes.has(name) || readOnly !== true)) return
  if (received?.volumeMounts === undefined) delete container.volumeMounts
  else container.volumeMounts = container.volumeMounts?.slice(0, had) ?? []
}
