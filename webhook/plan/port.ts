import { allContainers, type Pod } from '../pod/pod.ts'

/** Returns the first port, starting at `first`, that no container declares. The sidecar's own port is never declared. */
export function resolvePort(pod: Pod, first: number): number {
  const declared = new Set(
    allContainers(pod).flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)),
  )
  let port = first
  while (declared.has(port)) port++
  return port
}
