import { maxContainers } from '../../shared/annotations/parsers.ts'
import { allContainers, appContainers, initContainers, type Pod } from './pod.ts'

/** Limits of the volumes of a pod, the mounts of a container, the mounts of all containers, and the UTF-16 units of all their paths. */
const maxVolumes = 1_000
const maxMounts = 500
const maxAllMounts = 2_000
const maxMountPaths = 256 * 1024
const maxAnnotations = 2_000
/** The Kubernetes API has less than 50 fields in any of them. */
const maxFields = 200

type Count = [what: string, found: number, most: number]

/**
 * Returns which limits a pod exceeds. The API server calls the webhook before it validates the pod, and other reviews wait meanwhile. No
 * node could run such a pod.
 */
export function sizeProblems(pod: Pod): string[] {
  const lists = listLengths(pod)
  // Even to look at each of them takes a while.
  if (areFarTooLong(pod)) return exceeded(lists)
  const fields = fieldsOf(pod)
  if (fields > maxFields) return exceeded([...lists, ['fields in one of its parts', fields, maxFields]])
  const containers = allContainers(pod)
  const mounts = containers.map(({ volumeMounts = [] }) => volumeMounts.length)
  const paths = containers.map(({ volumeMounts = [] }) =>
    volumeMounts.reduce((sum, { mountPath }) => sum + mountPath.length, 0),
  )
  return exceeded([
    ...lists,
    ['volumeMounts in one container', mounts.reduce((most, count) => Math.max(most, count), 0), maxMounts],
    ['volumeMounts in all', sum(mounts), maxAllMounts],
    ['characters in the paths of its volumeMounts', sum(paths), maxMountPaths],
  ])
}

/** Whether a pod exceeds a limit by more than what the injector adds, so that its additions need not be found first. */
export const isFarTooLarge = (pod: Pod): boolean => areFarTooLong(pod) || fieldsOf(pod) > maxFields

const areFarTooLong = (pod: Pod): boolean => listLengths(pod).some(([, found, most]) => found > 2 * most)

/** The fields of the pod, its spec or one of its containers or volumes, whichever has the most. */
function fieldsOf(pod: Pod): number {
  const { ephemeralContainers = [], volumes = [] } = pod.spec
  const parts = [pod, pod.metadata ?? {}, pod.spec, ...allContainers(pod), ...ephemeralContainers, ...volumes]
  return parts.reduce((most, part) => Math.max(most, Object.keys(part).length), 0)
}

const listLengths = (pod: Pod): Count[] => [
  ['containers', appContainers(pod).length + initContainers(pod).length, maxContainers],
  ['ephemeral containers', pod.spec.ephemeralContainers?.length ?? 0, maxContainers],
  ['volumes', pod.spec.volumes?.length ?? 0, maxVolumes],
  ['annotations', Object.keys(pod.metadata?.annotations ?? {}).length, maxAnnotations],
]

const exceeded = (counts: readonly Count[]): string[] =>
  counts
    .filter(([, found, most]) => found > most)
    .map(([what, found, most]) => `the pod has ${found} ${what}, and at most ${most} are supported: split the pod`)

const sum = (counts: number[]): number => counts.reduce((total, count) => total + count, 0)
