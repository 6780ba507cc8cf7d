import { noMount } from '../../shared/annotations/parsers.ts'
import { secretsVolume } from '../../shared/names.ts'
import { firstSuggestions, listed, quote } from '../../shared/messages.ts'
import type { PlanContext } from './context.ts'
import { placeOf } from '../pod/container-paths.ts'
import {
  allContainers,
  appContainers,
  initContainers,
  withSpec,
  type Container,
  type Pod,
  type VolumeMount,
} from '../pod/pod.ts'

/**
 * Returns the names of the containers and init containers that get the mount.
 * @param recorded the result of an earlier pass: a container that another webhook added since then gets no mount
 */
export function resolveContainers(
  { pod, values: { containers }, configuration: { knownSidecars }, diagnostics }: PlanContext,
  recorded: readonly string[] | undefined,
): string[] {
  const names = allContainers(pod).map(({ name }) => name)
  if (containers === undefined) {
    const mounted = recorded && new Set(recorded)
    // The record came with the pod, so its author may have written it.
    return names.filter((name) => (mounted?.has(name) ?? true) && !knownSidecars.includes(name))
  }
  const suggest = firstSuggestions()
  const [known, wanted] = [new Set(names), new Set(containers)]
  const has = listed(names)
  for (const name of wanted) {
    if (!known.has(name)) {
      diagnostics.problem(
        'unknown-container',
        `annotation azure.keyvault.injector/containers: there is no container ${quote(name)}${suggest(name, names)}; the pod has ${has}`,
      )
    }
  }
  return names.filter((name) => wanted.has(name))
}

/** Whether a mount is the one that the injector adds. */
export const isInjectedMount = (mount: VolumeMount, mountPath: string): boolean =>
  mount.name === secretsVolume &&
  placeOf(mount.mountPath) === placeOf(mountPath) &&
  !mount.subPath &&
  !mount.subPathExpr

/** Returns the pod with the volume mounted read-only into the named containers. */
export function addMounts(pod: Pod, names: readonly string[], mountPath: string): Pod {
  const mounted = new Set(names)
  const mount = (container: Container): Container =>
    !mounted.has(container.name) || container.volumeMounts?.some((mount) => isInjectedMount(mount, mountPath))
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

/** Folders of the sidecar's image and of its own volumes: a mount there would hide files that it needs. */
const sidecarFolders = /^\/(app|nodejs|bin|sbin|usr|lib|lib32|lib64|etc|dev|proc|sys|var|run|tmp|home|root)(\/|$)/

/** Returns the folder that the sidecar writes to: the app's mount path, so that log lines name the paths that the app sees, if possible. */
export const sidecarMountPath = (mountPath: string): string =>
  mountPath === noMount || sidecarFolders.test(mountPath) ? '/mnt/secrets' : mountPath
