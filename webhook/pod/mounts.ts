import { secretsVolume } from '../../shared/names.ts'
import { firstSuggestions, listed, quote } from '../../shared/suggest.ts'
import type { Notes } from '../reasons.ts'
import type { Values } from '../values.ts'
import { placeOf } from './places.ts'
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
    // What is recorded came with the pod, whose author may have written it.
    return names.filter((name) => (mounted?.has(name) ?? true) && !knownSidecars.includes(name))
  }
  const suggest = firstSuggestions()
  const [known, wanted] = [new Set(names), new Set(containers)]
  for (const name of wanted) {
    if (!known.has(name)) {
      notes.problem('unknown-container', `annotation azure.keyvault.injector/containers: there is no container ${quote(name)}${suggest(name, names)}; the pod has ${listed(names)}`) // prettier-ignore
    }
  }
  return names.filter((name) => wanted.has(name))
}

/** Whether a mount is the one that we make ourselves. */
export const isOurMount = (mount: VolumeMount, mountPath: string): boolean =>
  mount.name === secretsVolume &&
  placeOf(mount.mountPath) === placeOf(mountPath) &&
  !mount.subPath &&
  !mount.subPathExpr

/** The pod with the volume mounted read-only into the named containers. */
export function addMounts(pod: Pod, names: readonly string[], mountPath: string): Pod {
  const mounted = new Set(names)
  const mount = (container: Container): Container =>
    !mounted.has(container.name) || container.volumeMounts?.some((mount) => isOurMount(mount, mountPath))
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
