import { maxContainers } from '../../shared/annotations.ts'
import { allContainers, type Pod } from './pod.ts'

/** Volumes of a pod, mounts of a container, mounts of all containers, and UTF-16 units of all their paths. */
const maxVolumes = 1_000
const maxMounts = 500
const maxAllMounts = 2_000
const maxMountPaths = 256 * 1024

/**
 * What a pod has more of than is looked at. The API server asks before it looks itself, and every other review waits meanwhile; no
 * node could run such a pod.
 */
export function sizeProblems(pod: Pod): string[] {
  const containers = allContainers(pod)
  const mounts = containers.map(({ volumeMounts = [] }) => volumeMounts.length)
  const paths = containers.map(({ volumeMounts = [] }) =>
    volumeMounts.reduce((sum, { mountPath }) => sum + mountPath.length, 0),
  )
  const counts: [what: string, count: number, most: number][] = [
    ['containers', containers.length, maxContainers],
    ['volumes', pod.spec.volumes?.length ?? 0, maxVolumes],
    ['volumeMounts in one container', mounts.reduce((most, count) => Math.max(most, count), 0), maxMounts],
    ['volumeMounts in all', sum(mounts), maxAllMounts],
    ['characters in the paths of its volumeMounts', sum(paths), maxMountPaths],
  ]
  return counts
    .filter(([, count, most]) => count > most)
    .map(([what, count, most]) => `the pod has ${count} ${what}, and a pod with more than ${most} is not injected: split it`) // prettier-ignore
}

const sum = (counts: number[]): number => counts.reduce((total, count) => total + count, 0)
