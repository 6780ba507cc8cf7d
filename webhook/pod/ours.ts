import {
  initContainer, podinfoVolume, runVolume, secretsVolume, settingsVariable, sidecarContainer, tokenVolume,
} from '../../shared/names.ts' // prettier-ignore
import { decodeSettings, type Settings } from '../../shared/settings.ts'
import { quote } from '../../shared/suggest.ts'
import type { Notes } from '../reasons.ts'
import { allContainers, appContainers, initContainers, withSpec, type Container, type Pod, type Volume, type VolumeMount } from './pod.ts' // prettier-ignore
import { settledContainer, settledVolume, type Expected } from './previous-injection/additions.ts'
import { checkInjected, checkOtherMounts } from './previous-injection/checks.ts'
import { isFields, same } from './previous-injection/same.ts'

const ownContainers = [sidecarContainer, initContainer]
const ownVolumes = [secretsVolume, tokenVolume, podinfoVolume, runVolume]
/** Whether a container has a name that belongs to the injector. */
export const isOwn = ({ name }: Container): boolean => ownContainers.includes(name)
/** Whether a volume's name belongs to the injector. */
export const isOwnVolume = (name: string): boolean => ownVolumes.includes(name)
const settingsOf = ({ env = [] }: Container): string | undefined =>
  env.find(({ name }) => name === settingsVariable)?.value

/** What an earlier admission put into a pod. */
export interface Earlier {
  /** The pod as it would be without it. */
  pod: Pod
  /** What it decided; absent where that can no longer be read. */
  settings?: Settings
}

/**
 * Whether a pod seems to have been injected before: on a second pass of the same request, or as a copy of an injected pod. Its author
 * may have written all of it: only {@link keepAdditions} decides whether it stays.
 */
export function findEarlier(pod: Pod): Earlier | undefined {
  const encoded = allContainers(pod).filter(isOwn).map(settingsOf).find((text) => text !== undefined) // prettier-ignore
  const volumes = new Set(pod.spec.volumes?.map(({ name }) => name))
  if (encoded === undefined || !volumes.has(secretsVolume) || !volumes.has(podinfoVolume)) return undefined
  const decoded = decodeSettings(encoded)
  const settings = decoded.ok ? decoded.value : undefined
  return { pod: withoutOurs(pod, settings), ...(settings === undefined ? {} : { settings }) }
}

function withoutOurs(pod: Pod, settings: Settings | undefined): Pod {
  const mounted = settings && new Set(settings.admitted.containers)
  const clean = (containers: Container[]): Container[] =>
    containers
      .filter((container) => !isOwn(container))
      .map((container) => (mounted?.has(container.name) ?? true ? withoutMount(container, settings) : container)) // prettier-ignore
  const init = clean(initContainers(pod))
  return withSpec(pod, {
    containers: clean(appContainers(pod)),
    initContainers: init.length > 0 ? init : undefined,
    volumes: pod.spec.volumes?.filter(({ name }) => !isOwnVolume(name)),
  })
}

/** Without the mount that we made. A user's own mounts of the same volume stay, with a `subPath` or as a whole at another path. */
function withoutMount(container: Container, settings: Settings | undefined): Container {
  const { volumeMounts = [] } = container
  const candidates = volumeMounts.filter(isWrittenByUs)
  const recorded = candidates.filter(({ mountPath }) => mountPath === settings?.mountPath)
  // The sidecar's path is not always the app's. What we add stands behind what was there.
  const ours = settings === undefined ? candidates : recorded.length > 0 ? recorded : candidates.slice(-1)
  return ours.length === 0
    ? container
    : { ...container, volumeMounts: volumeMounts.filter((mount) => !ours.includes(mount)) }
}

const isWrittenByUs = (mount: VolumeMount): boolean =>
  same(mount, { name: secretsVolume, mountPath: mount.mountPath, readOnly: true })

/**
 * Names of ours that a pod uses for something else, and what an injected container or volume must not have.
 * @param earlier what {@link findEarlier} found
 */
export function checkNames(pod: Pod, earlier: Earlier | undefined, notes: Notes): void {
  if (earlier === undefined) checkFreshNames(pod, notes)
  else checkInjected(pod, { isOwn, isOwnVolume }, notes)
  for (const { name } of (pod.spec.ephemeralContainers ?? []).filter(isOwn))
    notes.problem('clash', `the pod has an ephemeral container "${name}", which is the injector's own name: choose another one`) // prettier-ignore
  checkOtherMounts(pod, isOwn, notes)
}

function checkFreshNames(pod: Pod, notes: Notes): void {
  const remedy = "which is the injector's own name: choose another one"
  for (const { name } of allContainers(pod).filter(isOwn))
    notes.problem('clash', `the pod has a container "${name}", ${remedy}`)
  const own = (pod.spec.volumes ?? []).filter(({ name }) => isOwnVolume(name))
  const placeholders = own.filter(isPlaceholder)
  for (const { name } of own.filter((volume) => !placeholders.includes(volume) || placeholders.length > 1))
    notes.problem('clash', `the pod has a volume "${name}", ${remedy}${name === secretsVolume ? ', or declare it once, as an emptyDir with medium: Memory' : ''}`) // prettier-ignore
}

/**
 * A user's own declaration of the volume of the secrets. The API server accepts a workload whose containers mount a single file by
 * `subPath` only if its template has the volume. Ours takes its place.
 */
function isPlaceholder({ name, ...source }: Volume): boolean {
  const { emptyDir } = source
  if (name !== secretsVolume || Object.keys(source).length !== 1 || !isFields(emptyDir)) return false
  const { medium, sizeLimit: _ours, ...others } = emptyDir
  return medium === 'Memory' && Object.keys(others).length === 0
}

/**
 * The desired pod with what the API server and known injectors have added to our containers and volumes since an earlier pass.
 * Everything else about them is as we would write it today; what is removed for that is a warning.
 * @returns the same object as the pod if nothing has to change
 */
export function keepAdditions(pod: Pod, desired: Pod, expected: Omit<Expected, 'pod'>, notes: Notes): Pod {
  const settle = (field: 'initContainers' | 'containers') => (wants: Container) => {
    const has = isOwn(wants) ? pod.spec[field]?.find(({ name }) => name === wants.name) : undefined
    if (has === undefined) return wants
    checkKill(has, wants, notes)
    const { container, removed } = settledContainer(has, wants, { pod, ...expected })
    warnOfRemoved(wants.name, removed, notes)
    return container
  }
  const volumes = new Map(pod.spec.volumes?.map((volume) => [volume.name, volume]))
  const settled = withSpec(desired, {
    initContainers: desired.spec.initContainers?.map(settle('initContainers')),
    containers: desired.spec.containers?.map(settle('containers')),
    volumes: desired.spec.volumes?.map((wants) => {
      const has = volumes.get(wants.name)
      return has !== undefined && isOwnVolume(wants.name) ? settledVolume(has, wants) : wants
    }),
  })
  return same(pod, settled) ? pod : settled
}

/** A capability that we add ourselves, for `signal-permission: cap-kill` alone. */
function checkKill(has: Container, wants: Container, notes: Notes): void {
  const adds = ({ securityContext }: Container): boolean => securityContext?.capabilities?.add?.includes('KILL') ?? false // prettier-ignore
  if (adds(has) && !adds(wants))
    notes.problem('clash', `container "${has.name}" has the capability "KILL": remove it, the injector adds its own`)
}

const mostNamed = 3

function warnOfRemoved(container: string, removed: readonly string[], notes: Notes): void {
  if (removed.length === 0) return
  const named = removed.slice(0, mostNamed).map((one) => (/^[-\w ./]{1,40}$/.test(one) ? one : quote(one.slice(0, 40))))
  const more = removed.length - named.length
  notes.warn(
    'removed-additions',
    `removed from ${container}: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
  )
}
