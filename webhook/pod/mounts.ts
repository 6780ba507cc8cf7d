import { secretsVolume } from '../../shared/names.ts'
import { didYouMean, listed, quote } from '../../shared/suggest.ts'
import type { Notes } from '../reasons.ts'
import type { Values } from '../values.ts'
import { allContainers, appContainers, initContainers, withSpec, type Container, type Pod, type VolumeMount } from './pod.ts' // prettier-ignore

/**
 * The names of the containers and init containers that get the mount.
 * @param recorded what an earlier pass resolved: a container that another webhook has added since gets none
 */
export function resolveContainers(
  pod: Pod,
  { containers }: Pick<Values, 'containers'>,
  knownSidecars: readonly string[],
  recorded: readonly string[] | undefined,
  notes: Notes,
): string[] {
  const names = allContainers(pod).map(({ name }) => name)
  if (containers === undefined) {
    const mounted = recorded && new Set(recorded)
    return names.filter((name) => mounted?.has(name) ?? !knownSidecars.includes(name))
  }
  const [known, wanted] = [new Set(names), new Set(containers)]
  for (const name of wanted) {
    if (!known.has(name)) {
      notes.problem('unknown-container', `annotation azure.keyvault.injector/containers: there is no container ${quote(name)}${didYouMean(name, names)}; the pod has ${listed(names)}`) // prettier-ignore
    }
  }
  return names.filter((name) => wanted.has(name))
}

const trimmed = (path: string): string => path.replace(/\/+$/, '') || '/'
const isOurs = (mount: VolumeMount, mountPath: string): boolean =>
  mount.name === secretsVolume && trimmed(mount.mountPath) === mountPath && !mount.subPath && !mount.subPathExpr

/** Places that belong to the container runtime. */
const runtimeFolders = /^\/(proc|sys|dev)(\/|$)/

/** What stands in the way of the mount, and what is questionable about mounts of our volume that the user wrote. */
export function checkMounts(pod: Pod, names: readonly string[], mountPath: string, notes: Notes): void {
  if (runtimeFolders.test(mountPath)) {
    notes.problem('clash', `mount path ${quote(mountPath)} belongs to the container runtime: choose another mount-path`)
  }
  const mounted = new Set(names)
  for (const container of allContainers(pod)) {
    const where = `container ${quote(container.name)}`
    for (const mount of container.volumeMounts ?? []) {
      if (mount.name === secretsVolume) {
        if (mount.readOnly !== true) {
          notes.problem('clash', `${where} mounts ${secretsVolume} at ${quote(mount.mountPath)}: that needs readOnly: true`) // prettier-ignore
        }
        if (mount.subPath || mount.subPathExpr) {
          notes.warn('sub-path', `${where}: the subPath mount at ${quote(mount.mountPath)} never shows a rotation`)
        }
      }
      if (!mounted.has(container.name) || isOurs(mount, mountPath)) continue
      if (trimmed(mount.mountPath) === mountPath) {
        notes.problem('clash', `${where} has volume ${quote(mount.name)} at ${quote(mountPath)}, where the secrets would be: choose another mount-path`) // prettier-ignore
      } else if (mount.mountPath.startsWith(`${mountPath}/`)) {
        notes.problem('clash', `${where} has volume ${quote(mount.name)} at ${quote(mount.mountPath)}, inside ${quote(mountPath)}, which is read-only: choose another mount-path`) // prettier-ignore
      }
    }
    if (mounted.has(container.name) && container.volumeDevices?.some(({ devicePath }) => devicePath === mountPath)) {
      notes.problem('clash', `${where} has a device at ${quote(mountPath)}: choose another mount-path`)
    }
  }
}

/** The pod with the volume mounted read-only into the named containers. */
export function addMounts(pod: Pod, names: readonly string[], mountPath: string): Pod {
  const mounted = new Set(names)
  const mount = (container: Container): Container =>
    !mounted.has(container.name) || container.volumeMounts?.some((mount) => isOurs(mount, mountPath))
      ? container
      : {
          ...container,
          volumeMounts: [...(container.volumeMounts ?? []), { name: secretsVolume, mountPath, readOnly: true }],
        }
  return withSpec(pod, {
    containers: appContainers(pod).map(mount),
    ...(pod.spec.initContainers === undefined ? {} : { initContainers: initContainers(pod).map(mount) }),
  })
}

/** Folders of the sidecar's image and of its own volumes: a mount there would hide what it needs. */
const sidecarFolders = /^\/(app|nodejs|bin|sbin|usr|lib|lib32|lib64|etc|dev|proc|sys|var|run|tmp|home|root)(\/|$)/

/** Where the sidecar writes: the app's mount path, so that its messages name what the app sees, or a place of its own. */
export const sidecarMountPath = (mountPath: string): string =>
  sidecarFolders.test(mountPath) ? '/mnt/secrets' : mountPath
