import {
  containersVariable,
  podinfoVolume,
  runVolume,
  secretsVolume,
  settingsVariable,
  tokenVolume,
} from '../../../shared/names.ts'
import { quote } from '../../../shared/messages.ts'
import type { Diagnostics } from '../../reasons.ts'
import { allContainers, type Container, type Pod, type Volume } from '../pod.ts'
import { bindingVariables } from './additions.ts'

/** Environment variables that the sidecar reads. */
const ownVariables = [
  settingsVariable,
  containersVariable,
  'AZURE_CLIENT_ID',
  'AZURE_TENANT_ID',
  'AZURE_FEDERATED_TOKEN_FILE',
  'AZURE_AUTHORITY_HOST',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'MALLOC_MMAP_THRESHOLD_',
  ...bindingVariables,
]

const remedy = 'remove it, the injector adds its own'

const isHostPath = ({ hostPath }: Volume): boolean => hostPath !== undefined && hostPath !== null

/** Reports what an injected container or volume must not have, because no webhook adds it for a good reason. */
export function checkInjected(
  pod: Pod,
  { isOwn, isOwnVolume }: { isOwn: (container: Container) => boolean; isOwnVolume: (name: string) => boolean },
  diagnostics: Diagnostics,
): void {
  const volumes = pod.spec.volumes ?? []
  const own = everyContainer(pod).filter(isOwn)
  for (const name of repeated(own)) diagnostics.problem('clash', `the pod has two containers "${name}": ${remedy}`)
  for (const name of repeated(volumes.filter(({ name }) => isOwnVolume(name))))
    diagnostics.problem('clash', `the pod has two volumes "${name}": ${remedy}`)
  for (const { name } of volumes.filter((volume) => isOwnVolume(volume.name) && isHostPath(volume)))
    diagnostics.problem('clash', `volume "${name}" is a path of the node: ${remedy}`)
  const hostPaths = new Set(volumes.filter(isHostPath).map(({ name }) => name))
  for (const container of own) checkContainer(container, hostPaths, diagnostics)
}

function checkContainer(container: Container, hostPaths: ReadonlySet<string>, diagnostics: Diagnostics): void {
  const { name, env = [], volumeMounts = [], securityContext } = container
  const problem = (text: string): void => diagnostics.problem('clash', `container "${name}" ${text}: ${remedy}`)
  if (securityContext?.privileged) problem('is privileged')
  const added = (securityContext?.capabilities?.add ?? []).filter((capability) => capability !== 'KILL')
  if (added.length > 0) problem(`has the capability ${quote(added.join(', '))}`)
  for (const variable of repeated(env).filter((one) => ownVariables.includes(one)))
    problem(`has the variable ${variable} twice`)
  for (const mount of volumeMounts)
    if (hostPaths.has(mount.name)) problem(`mounts a path of the node at ${quote(mount.mountPath)}`)
}

/** Volumes only for the sidecar: its token, the live annotations and its socket. */
const privateVolumes: ReadonlySet<string> = new Set([tokenVolume, podinfoVolume, runVolume])

/** Reports mounts of the sidecar's private volumes, and mounts of the secrets that propagate out of the container, in other containers. */
export function checkOtherMounts(pod: Pod, isOwn: (container: Container) => boolean, diagnostics: Diagnostics): void {
  for (const { name, volumeMounts = [] } of everyContainer(pod).filter((one) => !isOwn(one))) {
    for (const mount of volumeMounts) {
      if (privateVolumes.has(mount.name))
        diagnostics.problem(
          'clash',
          `container ${quote(name)} mounts ${mount.name}, which only the sidecar may mount: remove the mount`,
        )
      else if (mount.name === secretsVolume && mount.mountPropagation === 'Bidirectional')
        diagnostics.problem(
          'clash',
          `container ${quote(name)} mounts ${mount.name} with mountPropagation: Bidirectional: remove that field`,
        )
    }
  }
}

const everyContainer = (pod: Pod): Container[] => [...allContainers(pod), ...(pod.spec.ephemeralContainers ?? [])]

/** Returns the names that occur more than once. */
function repeated(items: readonly { name: string }[]): string[] {
  const [seen, twice] = [new Set<string>(), new Set<string>()]
  for (const { name } of items) (seen.has(name) ? twice : seen).add(name)
  return [...twice]
}
