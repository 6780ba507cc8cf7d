import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Lifetime } from './process.ts'

/**
 * Passes on what a JSONPath prints of every version of objects while the test runs, oldest first: the API server sends each to a watch.
 * @param objects their kind, and how they are selected
 */
export function watch(
  t: Lifetime,
  namespace: string,
  objects: string[],
  jsonPath: string,
  each: (line: string) => void,
): void {
  const output = ['--watch', '-o', `jsonpath=${jsonPath}{"\\n"}`]
  const child = spawn('kubectl', ['get', '-n', namespace, ...objects, ...output])
  t.teardown(() => child.kill())
  createInterface(child.stdout).on('line', each)
}
