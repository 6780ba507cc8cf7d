import {
  podinfoVolume, runVolume, secretsVolume, settingsVariable, tokenVolume,
} from '../../../shared/names.ts' // prettier-ignore
import { quote } from '../../../shared/suggest.ts'
import type { Notes } from '../../reasons.ts'
import { allContainers, type Container, type Pod, type Volume } from '../pod.ts'
import { bindingVariables } from './additions.ts'

/** Variables that the sidecar reads. */
const ownVariables = [
  settingsVariable,
  'AZURE_CLIENT_ID', 'AZURE_TENANT_ID', 'AZURE_FEDERATED_TOKEN_FILE', 'AZURE_AUTHORITY_HOST',
  'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY',
  ...bindingVariables,
] // prettier-ignore

const remedy = 'remove it, the injector adds its own'

const isHostPath = ({ hostPath }: Volume): boolean => hostPath !== undefined && hostPath !== null

/** What a container or volume that an earlier injection might have added must not have: no webhook adds it for a good reason. */
export function checkInjected(
  pod: Pod,
  { isOwn, isOwnVolume }: { isOwn: (container: Container) => boolean; isOwnVolume: (name: string) => boolean },
  notes: Notes,
): void {
  const volumes = pod.spec.volumes ?? []
  const own = everyContainer(pod).filter(isOwn)
  for (const name of repeated(own)) notes.problem('clash', `the pod has two containers "${name}": ${remedy}`)
  for (const name of repeated(volumes.filter(({ name }) => isOwnVolume(name))))
    notes.problem('clash', `the pod has two volumes "${name}": ${remedy}`)
  for (const { name } of volumes.filter((volume) => isOwnVolume(volume.name) && isHostPath(volume)))
    notes.problem('clash', `volume "${name}" is a path of the node: ${remedy}`)
  const hostPaths = new Set(volumes.filter(isHostPath).map(({ name }) => name))
  for (const container of own) checkContainer(container, hostPaths, notes)
}

function checkContainer(container: Container, hostPaths: ReadonlySet<string>, notes: Notes): void {
  const { name, env = [], volumeMounts = [], securityContext } = container
  const problem = (text: string): void => notes.problem('clash', `container "${name}" ${text}: ${remedy}`)
  if (securityContext?.privileged) problem('is privileged')
  const added = (securityContext?.capabilities?.add ?? []).filter((capability) => capability !== 'KILL')
  if (added.length > 0) problem(`has the capability ${quote(added.join(', '))}`)
  for (const variable of repeated(env).filter((one) => ownVariables.includes(one)))
    problem(`has the variable ${variable} twice`)
  for (const mount of volumeMounts)
    if (hostPaths.has(mount.name)) problem(`mounts a path of the node at ${quote(mount.mountPath)}`)
}

/** The sidecar's own: its token, the annotations that it follows, and its socket. */
const privateVolumes: ReadonlySet<string> = new Set([tokenVolume, podinfoVolume, runVolume])

/** Mounts of the sidecar's private volumes, or ones of the secrets that reach beyond the container, in the pod's other containers. */
export function checkOtherMounts(pod: Pod, isOwn: (container: Container) => boolean, notes: Notes): void {
  for (const { name, volumeMounts = [] } of everyContainer(pod).filter((one) => !isOwn(one))) {
    for (const mount of volumeMounts) {
      if (privateVolumes.has(mount.name))
        notes.problem('clash', `container ${quote(name)} mounts ${mount.name}, which is the sidecar's alone: remove the mount`) // prettier-ignore
      else if (mount.name === secretsVolume && mount.mountPropagation === 'Bidirectional')
        notes.problem('clash', `container ${quote(name)} mounts ${mount.name} with mountPropagation: Bidirectional: remove that field`) // prettier-ignore
    }
  }
}

const everyContainer = (pod: Pod): Container[] => [...allContainers(pod), ...(pod.spec.ephemeralContainers ?? [])]

/** The names that more than one of the items have. */
function repeated(items: readonly { name: string }[]): string[] {
  const [seen, twice] = [new Set<string>(), new Set<string>()]
  for (const { name } of items) (seen.has(name) ? twice : seen).add(name)
  return [...twice]
}
