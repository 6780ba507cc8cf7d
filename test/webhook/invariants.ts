import { quantityOf } from '../../shared/kubernetes/quantity.ts'
import type { Container, Pod } from '../../webhook/pod/pod.ts'

const containers = new Set(['akv-injector', 'akv-injector-init', 'akv-injector-env'])
const volumes = new Set(['akv-injector-secrets', 'akv-injector-token', 'akv-injector-podinfo', 'akv-injector-run'])
const backupAnnotation = 'backup.velero.io/backup-volumes-excludes'

/** Whether a list of names begins with the names that were there before, and none is in it twice. */
function isContinued(list = '', before: string): boolean {
  const [now, then] = [list, before].map((text) => text.split(',').map((name) => name.trim())) as [string[], string[]]
  return now.slice(0, then.length).join() === then.join() && new Set(now).size === now.length
}

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
  const excluded = received.metadata?.annotations?.[backupAnnotation]
  if (excluded === undefined) delete metadata.annotations?.[backupAnnotation]
  else if (isContinued(metadata.annotations?.[backupAnnotation], excluded))
    metadata.annotations![backupAnnotation] = excluded
  if (received.metadata?.annotations === undefined) delete metadata.annotations
  if (received.metadata === undefined) delete pod.metadata

  for (const field of ['initContainers', 'containers'] as const) {
    const left = (spec[field] ?? []).filter(({ name }) => !containers.has(name))
    for (const container of left) {
      unmount(container, find(received, container.name))
      withdraw(container, find(received, container.name))
    }
    if (received.spec[field] === undefined) delete spec[field]
    else spec[field] = left
  }
  const others = (spec.volumes ?? []).filter(({ name }) => !volumes.has(name))
  // A placeholder of the user's stood where ours is now.
  const placeholders = received.spec.volumes?.filter(({ name }) => volumes.has(name)) ?? []
  spec.volumes = placeholders.length > 0 ? inOrderOf(received.spec.volumes ?? [], [...placeholders, ...others]) : others
  if (received.spec.volumes === undefined) delete spec.volumes
  shrink(spec.resources, received.spec.resources)
  if (received.spec.shareProcessNamespace === undefined) delete spec.shareProcessNamespace
  if (received.spec.imagePullSecrets === undefined) delete spec.imagePullSecrets
  else spec.imagePullSecrets = spec.imagePullSecrets?.slice(0, received.spec.imagePullSecrets.length) ?? []
  return pod
}

/** Requests for the pod as a whole grow only beside limits. */
function shrink(injected: Pod['spec']['resources'], received: Pod['spec']['resources']): void {
  if (injected?.requests === undefined || received?.limits === undefined) return
  for (const kind of ['cpu', 'memory'] as const) {
    const [now, before] = [injected.requests[kind], received.requests?.[kind]]
    if (now !== undefined && before !== undefined && quantityOf(now) > quantityOf(before))
      injected.requests[kind] = before
  }
}

const inOrderOf = <T extends { name: string }>(order: readonly T[], items: readonly T[]): T[] =>
  items.toSorted(
    (a, b) => order.findIndex(({ name }) => name === a.name) - order.findIndex(({ name }) => name === b.name),
  )

const find = ({ spec }: Pod, name: string): Container | undefined =>
  [...(spec.initContainers ?? []), ...(spec.containers ?? [])].find((container) => container.name === name)

/** Variables from files of the volume, before the user's own. */
function withdraw(container: Container, received: Container | undefined): void {
  const had = received?.env?.length ?? 0
  const added = container.env?.slice(0, container.env.length - had) ?? []
  const isOurs = ({ valueFrom }: { valueFrom?: unknown }): boolean =>
    (valueFrom as { fileKeyRef?: { volumeName?: string } } | undefined)?.fileKeyRef?.volumeName ===
    'akv-injector-secrets'
  if (!added.every(isOurs)) return
  if (received?.env === undefined) delete container.env
  else container.env = container.env?.slice(added.length) ?? []
}

/** One mount, the last, read-only, and not the user's own. */
function unmount(container: Container, received: Container | undefined): void {
  const had = received?.volumeMounts?.length ?? 0
  const added = container.volumeMounts?.slice(had) ?? []
  if (added.length > 1 || added.some(({ name, readOnly }) => !volumes.has(name) || readOnly !== true)) return
  if (received?.volumeMounts === undefined) delete container.volumeMounts
  else container.volumeMounts = container.volumeMounts?.slice(0, had) ?? []
}
