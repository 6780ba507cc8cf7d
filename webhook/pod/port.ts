import { allContainers, type Pod } from './pod.ts'

/** The first port from the administrator's on that no container declares; the sidecar's own is never declared. */
export function resolvePort(pod: Pod, first: number): number {
  const declared = new Set(
    allContainers(pod).flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)),
  )
  let port = first
  while (declared.has(port)) port++
  return port
}
