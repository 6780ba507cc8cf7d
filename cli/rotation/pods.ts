import type { PodRotation } from '../../shared/coordination/rotation.ts'
import { settingsVariable } from '../../shared/names.ts'
import { decodeSettings, type Settings } from '../../shared/settings/codec.ts'
import type { Container, ContainerStatus, Pod } from '../check/objects.ts'
import { sidecarOf } from '../check/pod-injection.ts'
import { isRunning } from '../check/pod-sidecar.ts'
import type { Fields } from '../../shared/kubernetes/json-fields.ts'

/** A pod as this command reads it. */
export interface ListedPod extends Pod {
  metadata: Pod['metadata'] & { uid?: string; deletionTimestamp?: string }
}

const containerFields = { name: true, env: { name: true, value: true } } as const
const statusFields = { name: true, ready: true, state: { running: true, waiting: true } } as const
/** The settings of a sidecar are in one of its variables. */
export const listedPodFields: Fields = {
  metadata: { name: true, namespace: true, uid: true, deletionTimestamp: true },
  spec: { initContainers: containerFields, containers: containerFields },
  status: { phase: true, initContainerStatuses: statusFields, containerStatuses: statusFields },
}

/** Names an object of a vault. */
export interface Asked {
  /** The vault's name or URL. */
  vault: string
  name: string
}

/** Returns the pods that have an object and no session with a coordinator, each with the cause. */
export function withoutSession(pods: readonly ListedPod[], uids: ReadonlySet<string>, asked: Asked): PodRotation[] {
  return pods.flatMap((pod) => {
    const { name, namespace = '', uid = '', deletionTimestamp } = pod.metadata
    const isOver = deletionTimestamp !== undefined || ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')
    if (isOver || uids.has(uid)) return []
    const settings = settingsOf(sidecarOf(pod))
    if (!settings || settings.mode === 'once' || !hasObject(settings, asked)) return []
    return [{ namespace, pod: name, state: 'no-session' as const, cause: causeOf(pod, settings) }]
  })
}

function settingsOf(sidecar: Container | undefined): Settings | undefined {
  const encoded = sidecar?.env?.find(({ name }) => name === settingsVariable)?.value
  if (encoded === undefined) return undefined
  const decoded = decodeSettings(encoded)
  return decoded.ok ? decoded.value : undefined
}

const hasObject = ({ objects }: Settings, { vault, name }: Asked): boolean =>
  objects.some((object) => object.name.toLowerCase() === name.toLowerCase() && isVault(object.vault, vault))

/** Whether a vault, by its URL, has a name: the first part of its host. */
function isVault(url: string, name: string): boolean {
  const wanted = name.toLowerCase().replace(/\/$/, '')
  return url.toLowerCase().replace(/\/$/, '') === wanted || new URL(url).hostname.split('.')[0] === wanted
}

function causeOf(pod: ListedPod, { coordinator }: Settings): string {
  if (!coordinator)
    return 'its settings name no coordinator, which does not watch the vault for its namespace, or did not when the pod was created: add it to coordinator.vaults, and recreate the pod'
  const sidecar = sidecarOf(pod)?.name
  const statuses: ContainerStatus[] = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ]
  const waiting = statuses.find(({ name }) => name === sidecar)?.state?.waiting?.reason
  if (!isRunning(pod)) return `its sidecar does not run${waiting === undefined ? '' : `: ${waiting}`}`
  return 'its sidecar has no session: see its log line "coordinator" for the reason, such as a NetworkPolicy'
}
