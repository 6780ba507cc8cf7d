import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Lifetime } from './process.ts'

/** More pods than any scenario follows at once. */
const mostPods = 100

/**
 * Passes on each line that a container of all pods of a selector prints, from its start on, while the test runs. The pods must be running.
 */
export function followLogs(
  t: Lifetime,
  namespace: string,
  selector: string,
  container: string,
  each: (pod: string, line: string) => void,
): void {
  const which = ['-n', namespace, '-l', selector, '-c', container]
  const how = ['--follow', '--prefix', '--tail=-1', `--max-log-requests=${mostPods}`]
  const child = spawn('kubectl', ['logs', ...which, ...how])
  t.teardown(() => child.kill())
  createInterface(child.stdout).on('line', (text) => {
    const [, pod, line] = /^\[pod\/([^/]+)\/[^\]]+\] (.*)$/.exec(text) ?? []
    if (pod !== undefined && line !== undefined) each(pod, line)
  })
}
