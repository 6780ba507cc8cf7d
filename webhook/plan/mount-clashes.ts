import { noMount } from '../../shared/annotations/parsers.ts'
import { secretsVolume } from '../../shared/names.ts'
import { quote } from '../../shared/messages.ts'
import type { Diagnostics } from '../reasons.ts'
import type { PlanContext } from './context.ts'
import { isInjectedMount } from './mounts.ts'
import { cleaned, isWithin, placeOf, relationOf } from '../pod/container-paths.ts'
import { allContainers, type Container, type Volume, type VolumeMount } from '../pod/pod.ts'

/** Folders that belong to the container runtime. */
const runtimeFolders = ['/proc', '/sys', '/dev']
/** Files that the kubelet and the container runtime mount into every container. */
const runtimeFiles = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf']

/** Something that occupies a path in a container: a mount, a device or a file that the kubelet mounts. */
interface Occupant {
  /** For messages, such as `volume "data" at "/data"`. */
  text: string
  /** The path as written, normalized. */
  path: string
  /** Why no folder can be created below it; absent if one can. */
  closed?: string
  /** It may contain the folder already. */
  mayHaveFolder?: boolean
  /** The remedy, if it is not another mount-path. */
  remedy?: string
}

/**
 * Reports everything that conflicts with the mount, and problems of the user's own mounts of the volume.
 * @param names containers that get the mount
 */
export function checkMounts({ pod, values, diagnostics }: PlanContext, names: readonly string[]): void {
  const mountPath = values['mount-path']
  if (mountPath === noMount) {
    for (const container of allContainers(pod)) {
      checkOwn(container, diagnostics)
      checkNoMount(container, diagnostics)
    }
    return
  }
  const place = placeOf(mountPath)
  if (runtimeFolders.some((folder) => isWithin(place, folder))) {
    diagnostics.problem(
      'clash',
      `mount path ${quote(mountPath)} belongs to the container runtime: choose another mount-path`,
    )
  }
  const file = runtimeFiles.find((file) => relationOf(mountPath, file) !== 'apart')
  if (file !== undefined) {
    diagnostics.problem(
      'clash',
      `mount path ${quote(mountPath)} leaves no place for ${file}, which the kubelet mounts: choose another mount-path`,
    )
  }
  warnOfIdentityMount({ pod, values, diagnostics }, names)
  const sources: Sources = {
    volumes: new Map(pod.spec.volumes?.map((volume) => [volume.name, volume])),
    writers: writersOf(allContainers(pod)),
  }
  const mounted = new Set(names)
  for (const container of allContainers(pod)) {
    checkOwn(container, diagnostics)
    if (mounted.has(container.name)) checkPlaces(container, sources, mountPath, diagnostics)
  }
}

/** {@link https://azure.github.io/azure-workload-identity/docs/topics/mutating-admission-webhook.html} */
const identityTokenFolder = '/var/run/secrets/azure/tokens'
const skipContainersAnnotation = 'azure.workload.identity/skip-containers'
/** UTF-16 units that are read of it: names of 500 containers. */
const longestSkipping = 500 * 64

/**
 * Warns if the workload identity webhook will mount its token where the secrets would be, because the pod is then denied when it is reviewed
 * again. Whether that webhook is installed is not known; it is usually called later.
 */
function warnOfIdentityMount(
  { pod, values, diagnostics }: Pick<PlanContext, 'pod' | 'values' | 'diagnostics'>,
  names: readonly string[],
): void {
  const mountPath = values['mount-path']
  const relation = relationOf(mountPath, identityTokenFolder)
  if (relation !== 'same' && relation !== 'around') return
  const skipping = pod.metadata?.annotations?.[skipContainersAnnotation] ?? ''
  const skipped = new Set(
    skipping
      .slice(0, longestSkipping)
      .split(';')
      .map((name) => name.trim()),
  )
  const name = names.find((one) => !skipped.has(one))
  if (name === undefined) return
  diagnostics.warn(
    'identity-mount',
    `choose another mount-path: if the Azure workload identity webhook is installed, it mounts a token into container ${quote(name)} at ${identityTokenFolder}, and the pod is rejected`,
  )
}

/** A mount of the whole volume contradicts `mount-path: none`; one of a single file does not. */
function checkNoMount({ name, volumeMounts = [] }: Container, diagnostics: Diagnostics): void {
  for (const mount of volumeMounts.filter((one) => one.name === secretsVolume && !one.subPath && !one.subPathExpr))
    diagnostics.problem(
      'clash',
      `container ${quote(name)} mounts ${secretsVolume} at ${quote(mount.mountPath)}, but mount-path is none: remove one of them`,
    )
}

/** Checks the user's own mounts of the secrets volume. */
function checkOwn({ name, volumeMounts = [] }: Container, diagnostics: Diagnostics): void {
  const where = `container ${quote(name)}`
  for (const mount of volumeMounts.filter((mount) => mount.name === secretsVolume)) {
    if (mount.readOnly !== true) {
      diagnostics.problem('clash', `${where} mounts ${secretsVolume} at ${quote(mount.mountPath)}: set readOnly: true`)
    }
    if (mount.subPath || mount.subPathExpr) {
      diagnostics.warn(
        'sub-path',
        `mount the folder in ${where} and point the app to it, or use mount-path: Kubernetes never updates a subPath mount, such as the one at ${quote(mount.mountPath)}`,
      )
    }
  }
}

/** The pod's volumes by name, and the containers that can create folders in each. */
interface Sources {
  volumes: ReadonlyMap<string, Volume>
  writers: ReadonlyMap<string, ReadonlySet<string>>
}

function writersOf(containers: readonly Container[]): Sources['writers'] {
  const writers = new Map<string, Set<string>>()
  for (const { name: container, volumeMounts = [] } of containers) {
    for (const { name, readOnly } of volumeMounts) {
      if (readOnly === true) continue
      const known = writers.get(name)
      if (known === undefined) writers.set(name, new Set([container]))
      else known.add(container)
    }
  }
  return writers
}

function checkPlaces(container: Container, sources: Sources, mountPath: string, diagnostics: Diagnostics): void {
  const where = `container ${quote(container.name)}`
  // Of nested mounts, the innermost one contains the folder.
  let innermost: Occupant | undefined
  let deepest = -1
  for (const occupant of occupants(container, sources, mountPath)) {
    const { text, path, remedy = 'choose another mount-path' } = occupant
    switch (relationOf(mountPath, path)) {
      case 'same':
        diagnostics.problem(
          'clash',
          `${where} has ${text}${path === mountPath ? '' : `, which is ${quote(mountPath)}`}, where the secrets would be: ${remedy}`,
        )
        break
      case 'around':
        diagnostics.problem('clash', `${where} has ${text}, inside ${quote(mountPath)}, which is read-only: ${remedy}`)
        break
      case 'inside': {
        const { length } = placeOf(path)
        if (length > deepest) [innermost, deepest] = [occupant, length]
        break
      }
      case 'apart':
        break
    }
  }
  if (innermost?.closed !== undefined) {
    const { text, closed, mayHaveFolder, remedy = 'choose another mount-path' } = innermost
    if (mayHaveFolder) {
      diagnostics.warn(
        'read-only-parent',
        `${where} has ${text}, ${closed}: it starts only if the folder ${quote(mountPath)} exists in that volume; create the folder or choose another mount-path`,
      )
      return
    }
    diagnostics.problem(
      'clash',
      `${where} has ${text}, ${closed}, so that the folder ${quote(mountPath)} cannot be made in it: ${remedy}`,
    )
  }
}

function occupants(container: Container, { volumes, writers }: Sources, mountPath: string): Occupant[] {
  const { volumeMounts = [], volumeDevices = [], terminationMessagePath } = container
  const at = (path: string, what: string) => ({
    text: `${what} at ${quote(cleaned(path))}`,
    path: cleaned(path),
  })
  const near = volumeMounts.filter(
    (mount) => !isInjectedMount(mount, mountPath) && relationOf(mountPath, mount.mountPath) !== 'apart',
  )
  const mounts = near.map((mount): Occupant => {
    const volume = volumes.get(mount.name)
    const closed = closedBy(mount, volume, mountPath)
    const others = [...(writers.get(mount.name) ?? [])].filter((name) => name !== container.name)
    return {
      ...at(mount.mountPath, volumeText(mount.name)),
      ...(closed === undefined
        ? {}
        : { closed, mayHaveFolder: closed === readOnlyMount && (others.length > 0 || !startsEmpty(volume)) }),
      ...remedyFor(volume),
    }
  })
  // As for mounts, only what is near is described: a container may have any number of them.
  const devices = [...new Set(volumeDevices.map(({ devicePath }) => devicePath))]
    .filter((path) => path !== undefined && relationOf(mountPath, path) !== 'apart')
    .map((path = '') => ({ ...at(path, 'a device'), closed: 'which is no folder' }))
  // The kubelet mounts a file at this path.
  const messages = terminationMessagePath
    ? [{ ...at(terminationMessagePath, 'its terminationMessagePath'), closed: 'which is a file' }]
    : []
  return [...mounts, ...devices, ...messages]
}

/** A pod that migrates from the Secrets Store CSI driver may still have its volume, which the injected one replaces. */
function remedyFor(volume: Volume | undefined): { remedy?: string } {
  const { csi } = (volume ?? {}) as { csi?: { driver?: unknown } | null }
  return csi?.driver === 'secrets-store.csi.k8s.io'
    ? {
        remedy:
          'remove this volume of the Secrets Store CSI driver and its mounts, because the injector provides the secrets',
      }
    : {}
}

/** The API server gives token volumes random names, but all pods of a workload should get the same message. */
const volumeText = (name: string): string =>
  name.startsWith('kube-api-access-') ? 'the ServiceAccount token' : `volume ${quote(name)}`

/** Volumes in which the kubelet creates folders for nested mounts. */
const filledByKubelet = ['configMap', 'secret', 'projected', 'downwardAPI']
const filesOfHost = ['File', 'FileOrCreate', 'Socket', 'CharDevice', 'BlockDevice']

/**
 * Returns why the container runtime cannot create a folder for the injected mount inside another mount, or undefined if it can. A volume
 * that is not in the pod is a claim template of a StatefulSet.
 */
function closedBy(mount: VolumeMount, volume: Volume | undefined, mountPath: string): string | undefined {
  const { name: _, ...sources } = volume ?? { name: '' }
  const [kind = 'persistentVolumeClaim', source] = Object.entries(sources)[0] ?? []
  const { readOnly, type } = (source ?? {}) as { readOnly?: unknown; type?: unknown }
  if (kind === 'hostPath' && filesOfHost.includes(String(type))) return 'which is no folder'
  if (filledByKubelet.includes(kind)) {
    if (mount.subPath || mount.subPathExpr) return 'a read-only part of which is mounted'
    // The kubelet compares paths as text and does not follow links.
    return isWithin(mountPath, cleaned(mount.mountPath)) ? undefined : 'which is above it by another name only'
  }
  const isReadOnly = mount.readOnly === true || readOnly === true || kind === 'image'
  return isReadOnly ? readOnlyMount : undefined
}

const readOnlyMount = 'which is read-only'

/** Whether nothing is in a volume until a container writes it. The Secrets Store CSI driver writes files of its own. */
const startsEmpty = (volume: Volume | undefined): boolean =>
  volume !== undefined && ('emptyDir' in volume || 'ephemeral' in volume || 'remedy' in remedyFor(volume))
