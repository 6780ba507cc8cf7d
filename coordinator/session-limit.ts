/** What the process needs without any session, and what each takes with its TLS connection; measured, in bytes. */
const baseBytes = 96 * 1024 * 1024
const sessionBytes = 100 * 1024

/** The limit without a memory limit of the container. */
const unlimitedSessions = 10_000
/** A limit above this counts as none: cgroups and machines report various large numbers. */
const largestLimit = 2 ** 40

/**
 * How many sessions fit into the memory of the container.
 * @param memoryLimit in bytes, as Node reads it from the cgroup; 0 or a huge number without one
 */
export function sessionLimit(memoryLimit: number): number {
  if (memoryLimit <= 0 || memoryLimit > largestLimit) return unlimitedSessions
  return Math.max(10, Math.floor((memoryLimit - baseBytes) / sessionBytes))
}
