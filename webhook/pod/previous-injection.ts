import {
  environmentContainer,
  initContainer,
  podinfoVolume,
  runVolume,
  secretsVolume,
  settingsVariable,
  containersVariable,
  sidecarContainer,
  tokenVolume,
} from '../../shared/names.ts'
import { decodeSettings, type Settings } from '../../shared/settings/codec.ts'
import { quote } from '../../shared/messages.ts'
import type { Diagnostics } from '../reasons.ts'
import {
  allContainers,
  appContainers,
  initContainers,
  withSpec,
  type Container,
  type Pod,
  type Volume,
  type VolumeMount,
} from './pod.ts'
import { mergeContainer, mergeVolume, type Expected } from './previous-injection/additions.ts'
import { checkInjected, checkOtherMounts } from './previous-injection/checks.ts'
import { hasAtMost, isFields, same, type Fields } from './previous-injection/same.ts'

const ownContainers = [sidecarContainer, initContainer, environmentContainer]
const ownVolumes = [secretsVolume, tokenVolume, podinfoVolume, runVolume]
/** Whether a container has a name that is reserved for the injector. */
export const isOwn = ({ name }: Container): boolean => ownContainers.includes(name)
/** Whether it is the container that checks environment variables. */
export const checksVariables = ({ name }: Container): boolean => name === environmentContainer
/** Whether a volume's name is reserved for the injector. */
export const isOwnVolume = (name: string): boolean => ownVolumes.includes(name)
const variableOf =
  (variable: string) =>
  ({ env = [] }: Container): string | undefined =>
    env.find(({ name }) => name === variable)?.value

/** What an earlier admission injected into a pod. */
export interface PreviousInjection {
  /** The pod without the injected parts. */
  pod: Pod
  /** The settings that it injected; absent if they cannot be read. */
  settings?: Settings
  /** For how many containers it shortens termination messages; absent if it does not. */
  containers?: number
}

/**
 * Returns what an earlier admission seems to have injected: in an earlier pass of the same request, or in the pod that this one is a copy
 * of. The pod's author may have written all of it, so only {@link keepAdditions} decides whether it stays.
 */
export function findPreviousInjection(pod: Pod): PreviousInjection | undefined {
  const encoded = allContainers(pod)
    .filter(isOwn)
    .map(variableOf(settingsVariable))
    .find((text) => text !== undefined)
  const volumes = new Set(pod.spec.volumes?.map(({ name }) => name))
  if (encoded === undefined || !volumes.has(secretsVolume) || !volumes.has(podinfoVolume)) return undefined
  const decoded = decodeSettings(encoded)
  const settings = decoded.ok ? decoded.value : undefined
  const containers =
    Number(allContainers(pod).filter(isOwn).map(variableOf(containersVariable)).find(Boolean)) || undefined
  return {
    pod: withoutOurs(pod, settings),
    ...(settings === undefined ? {} : { settings }),
    ...(containers === undefined ? {} : { containers }),
  }
}

function withoutOurs(pod: Pod, settings: Settings | undefined): Pod {
  const mounted = settings && new Set(settings.admitted.containers)
  const clean = (containers: Container[]): Container[] =>
    containers
      .filter((container) => !isOwn(container))
      .map((container) => ((mounted?.has(container.name) ?? true) ? withoutMount(container, settings) : container))
      .map((container) => withoutVariables(container, settings?.variables))
  const init = clean(initContainers(pod))
  return withSpec(pod, {
    containers: clean(appContainers(pod)),
    initContainers: init.length > 0 ? init : undefined,
    volumes: pod.spec.volumes?.filter(({ name }) => !isOwnVolume(name)),
  })
}

/** Removes the injected mount. The user's own mounts of the volume stay, with a `subPath` or at another path. */
function withoutMount(container: Container, settings: Settings | undefined): Container {
  const { volumeMounts = [] } = container
  const candidates = volumeMounts.filter(isWrittenByUs)
  const recorded = candidates.filter(({ mountPath }) => mountPath === settings?.mountPath)
  // The sidecar's mount path is not always the app's. The injected mount comes after the user's.
  const ours = settings === undefined ? candidates : recorded.length > 0 ? recorded : candidates.slice(-1)
  return ours.length === 0
    ? container
    : { ...container, volumeMounts: volumeMounts.filter((mount) => !ours.includes(mount)) }
}

/**
 * Removes the injected variables: entries that name the volume. A webhook or a client that does not know their fields leaves `valueFrom`
 * empty, which the API server accepts in no entry.
 */
function withoutVariables(container: Container, variables: Settings['variables'] = {}): Container {
  const isOurs = ({ name, valueFrom }: Variable): boolean =>
    Object.hasOwn(variables, name) && isFields(valueFrom) && isInjectedSource(valueFrom)
  const env = container.env?.filter((entry) => !isOurs(entry))
  if (env === undefined || env.length === container.env?.length) return container
  const { env: _before, ...others } = container
  return env.length === 0 ? others : { ...others, env }
}

type Variable = NonNullable<Container['env']>[number]

const isInjectedSource = (source: Fields): boolean => {
  const { fileKeyRef } = source
  return Object.keys(source).length === 0 || (isFields(fileKeyRef) && fileKeyRef['volumeName'] === secretsVolume)
}

const isWrittenByUs = (mount: VolumeMount): boolean =>
  same(mount, { name: secretsVolume, mountPath: mount.mountPath, readOnly: true })

/**
 * Reports reserved names that a pod uses for something else, and fields that an injected container or volume must not have.
 * @param previous what {@link findPreviousInjection} found
 */
export function checkNames(pod: Pod, previous: PreviousInjection | undefined, diagnostics: Diagnostics): void {
  if (previous === undefined) checkFreshNames(pod, diagnostics)
  else checkInjected(pod, { isOwn, isOwnVolume }, diagnostics)
  for (const { name } of (pod.spec.ephemeralContainers ?? []).filter(isOwn))
    diagnostics.problem(
      'clash',
      `the pod has an ephemeral container "${name}", which is a name of the injector: choose another one`,
    )
  checkOtherMounts(pod, isOwn, diagnostics)
}

/** An injected container has about a hundred of them, and with the most environment variables two thousand. */
const mostValues = 10_000

/** Reports injected containers and volumes of any number of fields, which it would take a while to compare. Returns whether there are none. */
export function checkOwnSizes({ spec }: Pod, diagnostics: Diagnostics): boolean {
  const lists = { container: [...(spec.initContainers ?? []), ...(spec.containers ?? [])], volume: spec.volumes ?? [] }
  const found = Object.entries(lists).flatMap(([what, items]) =>
    items
      .filter(({ name }) => (what === 'volume' ? isOwnVolume(name) : isOwn({ name })))
      .filter((item) => !hasAtMost(mostValues, item))
      .map(
        ({ name }) =>
          `${what} "${name}" has more than ${mostValues} fields and values: remove it, the injector adds its own`,
      ),
  )
  diagnostics.own('too-large', ...found)
  return found.length === 0
}

function checkFreshNames(pod: Pod, diagnostics: Diagnostics): void {
  const remedy = 'which is a name of the injector: choose another one'
  for (const { name } of allContainers(pod).filter(isOwn))
    diagnostics.problem('clash', `the pod has a container "${name}", ${remedy}`)
  const own = (pod.spec.volumes ?? []).filter(({ name }) => isOwnVolume(name))
  const placeholders = own.filter(isPlaceholder)
  for (const { name } of own.filter((volume) => !placeholders.includes(volume) || placeholders.length > 1))
    diagnostics.problem(
      'clash',
      `the pod has a volume "${name}", ${remedy}${name === secretsVolume ? ', or declare it once, as an emptyDir with medium: Memory' : ''}`,
    )
}

/**
 * Whether a volume is the user's placeholder for the secrets volume, which replaces it. The API server accepts a workload whose containers
 * mount a single file by `subPath` only if its template declares the volume.
 */
function isPlaceholder({ name, ...source }: Volume): boolean {
  const { emptyDir } = source
  if (name !== secretsVolume || Object.keys(source).length !== 1 || !isFields(emptyDir)) return false
  const { medium, sizeLimit: _ours, ...others } = emptyDir
  return medium === 'Memory' && Object.keys(others).length === 0
}

/**
 * Keeps what the API server and known injectors added to the injected containers and volumes since an earlier pass. Everything else about
 * them becomes as the webhook injects it today, with a warning about what was removed.
 * @returns the same object as `pod` if nothing has to change
 */
export function keepAdditions(pod: Pod, desired: Pod, expected: Omit<Expected, 'pod'>, diagnostics: Diagnostics): Pod {
  const withAdditions = (field: 'initContainers' | 'containers') => (wants: Container) => {
    const has = isOwn(wants) ? pod.spec[field]?.find(({ name }) => name === wants.name) : undefined
    if (has === undefined) return wants
    checkKill(has, wants, diagnostics)
    const { container, removed } = mergeContainer(has, wants, { pod, ...expected })
    warnOfRemoved(wants.name, removed, diagnostics)
    return container
  }
  const volumes = new Map(pod.spec.volumes?.map((volume) => [volume.name, volume]))
  const kept = withSpec(desired, {
    initContainers: desired.spec.initContainers?.map(withAdditions('initContainers')),
    containers: desired.spec.containers?.map(withAdditions('containers')),
    volumes: desired.spec.volumes?.map((wants) => {
      const has = volumes.get(wants.name)
      return has !== undefined && isOwnVolume(wants.name) ? mergeVolume(has, wants) : wants
    }),
  })
  return same(pod, kept) ? pod : kept
}

/** The webhook adds the capability KILL only for `signal-permission: cap-kill`. */
function checkKill(has: Container, wants: Container, diagnostics: Diagnostics): void {
  const adds = ({ securityContext }: Container): boolean =>
    securityContext?.capabilities?.add?.includes('KILL') ?? false
  if (adds(has) && !adds(wants))
    diagnostics.problem(
      'clash',
      `container "${has.name}" has the capability "KILL": remove it, the injector adds its own`,
    )
}

const mostNamed = 3

function warnOfRemoved(container: string, removed: readonly string[], diagnostics: Diagnostics): void {
  if (removed.length === 0) return
  const named = removed.slice(0, mostNamed).map((one) => (/^[-\w ./]{1,40}$/.test(one) ? one : quote(one.slice(0, 40))))
  const more = removed.length - named.length
  diagnostics.warn(
    'removed-additions',
    `removed from ${container}: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
  )
}
