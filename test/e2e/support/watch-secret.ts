import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Lifetime } from './process.ts'
import { valuesOf, type SyncedSecret } from './sync.ts'

/** The values of every version of a Secret while the test runs, oldest first: the API server sends each to a watch. */
export function watchSecret(t: Lifetime, namespace: string, name: string): Record<string, string>[] {
  const versions: Record<string, string>[] = []
  const child = spawn('kubectl', [
    ...['get', 'secrets', '-n', namespace, `--field-selector=metadata.name=${name}`],
    ...['--watch', '-o', 'jsonpath={.data}{"\\n"}'],
  ])
  t.teardown(() => child.kill())
  createInterface(child.stdout).on('line', (line) => {
    versions.push(valuesOf({ data: JSON.parse(line) as SyncedSecret['data'] }))
  })
  return versions
}
