import { secretsVolume } from '../../shared/names.ts'
import { quote } from '../../shared/suggest.ts'
import type { Notes } from '../reasons.ts'
import { isOurMount } from './mounts.ts'
import { cleaned, isWithin, placeOf, relationOf } from './places.ts'
import { allContainers, type Container, type Pod, type Volume, type VolumeMount } from './pod.ts'

/** Folders that belong to the container runtime. */
const runtimeFolders = ['/proc', '/sys', '/dev']
/** Files that the kubelet and the container runtime mount into every container. */
const runtimeFiles = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf']

/** Something at a place in a container: a mount, a device or a file of the kubelet's. */
interface Occupant {
  /** For messages, such as `volume "data" at "/data"`. */
  text: string
  /** As the container spells it, cleaned. */
  path: string
  /** Why no folder can be made below it, or undefined if one can. */
  closed?: string
  /** What to do about it, unless another mount-path is the remedy. */
  remedy?: string
}

/** Reports what stands in the way of the mount, and what is questionable about the user's own mounts of the volume. */
export function checkMounts(pod: Pod, names: readonly string[], mountPath: string, notes: Notes): void {
  const place = placeOf(mountPath)
  if (runtimeFolders.some((folder) => isWithin(place, folder))) {
    notes.problem('clash', `mount path ${quote(mountPath)} belongs to the container runtime: choose another mount-path`)
  }
  const file = runtimeFiles.find((file) => relationOf(mountPath, file) !== 'apart')
  if (file !== undefined) {
    notes.problem('clash', `mount path ${quote(mountPath)} leaves no place for ${file}, which the kubelet mounts: choose another mount-path`) // prettier-ignore
  }
  const volumes = new Map(pod.spec.volumes?.map((volume) => [volume.name, volume]))
  const mounted = new Set(names)
  for (const container of allContainers(pod)) {
    checkOwn(container, notes)
    if (mounted.has(container.name)) checkPlaces(container, volumes, mountPath, notes)
  }
}

/** The mounts of our volume that the user wrote. */
function checkOwn({ name, volumeMounts = [] }: Container, notes: Notes): void {
  const where = `container ${quote(name)}`
  for (const mount of volumeMounts.filter((mount) => mount.name === secretsVolume)) {
    if (mount.readOnly !== true) {
      notes.problem('clash', `${where} mounts ${secretsVolume} at ${quote(mount.mountPath)}: that needs readOnly: true`)
    }
    if (mount.subPath || mount.subPathExpr) {
      notes.warn('sub-path', `${where}: the subPath mount at ${quote(mount.mountPath)} never shows a rotation`)
    }
  }
}

function checkPlaces(
  container: Container,
  volumes: ReadonlyMap<string, Volume>,
  mountPath: string,
  notes: Notes,
): void {
  const where = `container ${quote(container.name)}`
  const around: Occupant[] = []
  for (const occupant of occupants(container, volumes, mountPath)) {
    const { text, path, remedy = 'choose another mount-path' } = occupant
    switch (relationOf(mountPath, path)) {
      case 'same':
        notes.problem('clash', `${where} has ${text}${path === mountPath ? '' : `, which is ${quote(mountPath)}`}, where the secrets would be: ${remedy}`) // prettier-ignore
        break
      case 'around':
        notes.problem('clash', `${where} has ${text}, inside ${quote(mountPath)}, which is read-only: ${remedy}`) // prettier-ignore
        break
      case 'inside':
        around.push(occupant)
        break
      case 'apart':
        break
    }
  }
  // Of mounts inside each other, the innermost one holds our folder.
  const innermost = around.toSorted((one, other) => placeOf(other.path).length - placeOf(one.path).length)[0]
  if (innermost?.closed !== undefined) {
    const { text, closed, remedy = 'choose another mount-path' } = innermost
    notes.problem('clash', `${where} has ${text}, ${closed}, so that the folder ${quote(mountPath)} cannot be made in it: ${remedy}`) // prettier-ignore
  }
}

function occupants(container: Container, volumes: ReadonlyMap<string, Volume>, mountPath: string): Occupant[] {
  const { volumeMounts = [], volumeDevices = [], terminationMessagePath } = container
  const at = (path: string, what: string) => ({
    text: `${what} at ${quote(cleaned(path))}`,
    path: cleaned(path),
  })
  const mounts = volumeMounts.filter((mount) => !isOurMount(mount, mountPath)).map((mount): Occupant => {
    const volume = volumes.get(mount.name)
    const closed = closedBy(mount, volume, mountPath)
    return { ...at(mount.mountPath, volumeText(mount.name)), ...(closed === undefined ? {} : { closed }), ...remedyFor(volume) } // prettier-ignore
  }) // prettier-ignore
  const devices = volumeDevices.flatMap(({ devicePath }) =>
    devicePath === undefined ? [] : [{ ...at(devicePath, 'a device'), closed: 'which is no folder' }],
  )
  // The kubelet mounts a file there.
  const messages = terminationMessagePath
    ? [{ ...at(terminationMessagePath, 'its terminationMessagePath'), closed: 'which is a file' }]
    : []
  return [...mounts, ...devices, ...messages]
}

/** The volume of the Secrets Store CSI driver, which is left in a pod that moves from it, has the secrets that we bring. */
function remedyFor(volume: Volume | undefined): { remedy?: string } {
  const { csi } = (volume ?? {}) as { csi?: { driver?: unknown } | null }
  return csi?.driver === 'secrets-store.csi.k8s.io'
    ? {
        remedy:
          'remove this volume of the Secrets Store CSI driver and its mounts, since the injector brings the secrets',
      }
    : {}
}

/** The API server gives the volume of a token a random name, and pods of one workload must be told the same. */
const volumeText = (name: string): string =>
  name.startsWith('kube-api-access-') ? 'the ServiceAccount token' : `volume ${quote(name)}`

/** Volumes in which the kubelet itself makes the folders of mounts inside them. */
const filledByKubelet = ['configMap', 'secret', 'projected', 'downwardAPI']
const filesOfHost = ['File', 'FileOrCreate', 'Socket', 'CharDevice', 'BlockDevice']

/**
 * Why the container runtime cannot make a folder for our mount inside another one, or undefined if it can. A volume that the pod
 * does not have is a claim of a StatefulSet.
 */
function closedBy(mount: VolumeMount, volume: Volume | undefined, mountPath: string): string | undefined {
  const { name: _, ...sources } = volume ?? { name: '' }
  const [kind = 'persistentVolumeClaim', source] = Object.entries(sources)[0] ?? []
  const { readOnly, type } = (source ?? {}) as { readOnly?: unknown; type?: unknown }
  if (kind === 'hostPath' && filesOfHost.includes(String(type))) return 'which is no folder'
  if (filledByKubelet.includes(kind)) {
    if (mount.subPath || mount.subPathExpr) return 'a read-only part of which is mounted'
    // The kubelet compares texts: it follows no links.
    return isWithin(mountPath, cleaned(mount.mountPath)) ? undefined : 'which is above it by another name only'
  }
  const isReadOnly = mount.readOnly === true || readOnly === true || kind === 'image'
  return isReadOnly ? 'which is read-only' : undefined
}
