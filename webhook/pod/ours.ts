import {
  initContainer, podinfoVolume, runVolume, secretsVolume, settingsVariable, sidecarContainer, tokenVolume,
} from '../../shared/names.ts' // prettier-ignore
import { decodeSettings, type Settings } from '../../shared/settings.ts'
import type { Notes } from '../reasons.ts'
import { allContainers, appContainers, initContainers, withSpec, type Container, type Pod } from './pod.ts'
import { quantityOf } from './quantity.ts'

const ownContainers = [sidecarContainer, initContainer]
const ownVolumes = [secretsVolume, tokenVolume, podinfoVolume, runVolume]
/** Whether a container has a name of ours, which a second pass takes for what the first one added. */
export const isOwn = ({ name }: Container): boolean => ownContainers.includes(name)
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
 * Whether a pod has been injected before: on a second pass of the same request, or as a copy of an injected pod.
 * Our container with its settings and our volumes say so; the annotation `status` alone decides nothing.
 */
export function findEarlier(pod: Pod): Earlier | undefined {
  const encoded = allContainers(pod).filter(isOwn).map(settingsOf).find((text) => text !== undefined) // prettier-ignore
  const volumes = new Set(pod.spec.volumes?.map(({ name }) => name))
  if (encoded === undefined || !volumes.has(secretsVolume) || !volumes.has(podinfoVolume)) return undefined
  const settings = decodeSettings(encoded)
  return { pod: withoutOurs(pod), ...(settings.ok ? { settings: settings.value } : {}) }
}

function withoutOurs(pod: Pod): Pod {
  const clean = (containers: Container[]): Container[] =>
    containers.filter((container) => !isOwn(container)).map(withoutMount)
  const init = clean(initContainers(pod))
  return withSpec(pod, {
    containers: clean(appContainers(pod)),
    initContainers: init.length > 0 ? init : undefined,
    volumes: pod.spec.volumes?.filter(({ name }) => !ownVolumes.includes(name)),
  })
}

/** The mounts that we make ourselves: a user's own of the same volume, with a `subPath`, stays. */
function withoutMount(container: Container): Container {
  const { volumeMounts = [] } = container
  const others = volumeMounts.filter(
    ({ name, subPath, subPathExpr }) => name !== secretsVolume || subPath || subPathExpr,
  )
  return others.length === volumeMounts.length ? container : { ...container, volumeMounts: others }
}

/** Names of ours that a pod uses for something else. */
export function checkNames(pod: Pod, notes: Notes): void {
  for (const { name } of allContainers(pod).filter(isOwn)) {
    notes.problem('clash', `the pod has a container "${name}", which is the injector's own name: choose another one`)
  }
  for (const { name } of pod.spec.volumes ?? []) {
    if (ownVolumes.includes(name)) {
      notes.problem('clash', `the pod has a volume "${name}", which is the injector's own name: choose another one`)
    }
  }
}

/**
 * Whether a pod has everything that it would get: then it stays as it is, with the API's defaults and what others added to
 * it. What others commonly tune (resources, what a probe asks) need only be there.
 */
export function hasAll(pod: Pod, desired: Pod): boolean {
  const ours = (list: Container[]) => list.filter(isOwn).map(untuned)
  const mounts = (list: Container[]) =>
    list.flatMap(({ name, volumeMounts }) => (volumeMounts ? [[name, volumeMounts] as const] : []))
  const essence = ({ metadata, spec }: Pod) => ({
    annotations: metadata?.annotations ?? {},
    init: ours(spec.initContainers ?? []),
    beside: ours(spec.containers ?? []),
    volumes: spec.volumes ?? [],
    mounts: Object.fromEntries([...mounts(spec.initContainers ?? []), ...mounts(spec.containers ?? [])]),
    imagePullSecrets: spec.imagePullSecrets ?? [],
    shareProcessNamespace: spec.shareProcessNamespace ?? false,
  })
  const [has, wants] = [essence(pod), essence(desired)]
  return includes(has, wants) && has.init.length === wants.init.length && has.beside.length === wants.beside.length
}

function untuned({ resources, livenessProbe, startupProbe, ...rest }: Container) {
  const there = { resources, livenessProbe, startupProbe }
  return { ...rest, ...Object.fromEntries(Object.entries(there).map(([field, value]) => [field, value !== undefined])) }
}

/** Whether a value has everything that another one has, in lists at any place. */
function includes(has: unknown, wants: unknown, field?: string): boolean {
  // Most of a pod is the same object in both.
  if (has === wants) return true
  if (Array.isArray(wants)) {
    if (!Array.isArray(has) || (typeof wants[0] !== 'object' && has.length !== wants.length)) return false
    return wants.every((item) => has.includes(item) || has.some((other) => includes(other, item)))
  }
  if (typeof wants === 'object' && wants !== null) {
    if (typeof has !== 'object' || has === null) return false
    return Object.entries(wants).every(([key, value]) => includes((has as Record<string, unknown>)[key], value, key))
  }
  if (field === 'sizeLimit') return quantityOf(String(has)) === quantityOf(String(wants))
  return false
}
