import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Supervisor } from '../demo/processes.ts'

/** Whether this system has the figures about processes. */
export const hasProc = process.platform === 'linux'

/**
 * Returns the user and kernel time of a process in milliseconds; the kernel counts in steps of 10 (proc_pid_stat(5)).
 */
export function cpuTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Returns the memory of a process in MB of 10^6 bytes: all of it, and the anonymous part (proc_pid_smaps(5)). */
export function memory(pid: number): { resident: number; anonymous: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const field = (name: string) => (Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(rollup)?.[1]) * 1024) / 1e6
  return { resident: field('Rss'), anonymous: field('Anonymous') }
}

/**
 * Returns the memory of a Node process that waits for a timer.
 * @param command node with its flags
 * @param env its variables
 */
export async function bareMemory(
  supervisor: Supervisor,
  [node = '', ...flags]: string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ReturnType<typeof memory>> {
  const script = 'setInterval(() => {}, 1000); console.log("up")'
  const bare = supervisor.start('bare node', node, [...flags, '-e', script], { env })
  await bare.line('output', (line) => line === 'up' || undefined, 10_000)
  await sleep(1000)
  const figures = memory(bare.pid)
  await bare.stop(1000)
  return figures
}

/** Returns the number of open file descriptors of a process. */
export const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length
