import type { Lifetime } from './process.ts'
import { valuesOf, type SyncedSecret } from './sync.ts'
import { watch } from './watch.ts'

/** The values of every version of a Secret while the test runs, oldest first. */
export function watchSecret(t: Lifetime, namespace: string, name: string): Record<string, string>[] {
  const versions: Record<string, string>[] = []
  watch(t, namespace, ['secrets', `--field-selector=metadata.name=${name}`], '{.data}', (line) => {
    versions.push(valuesOf({ data: JSON.parse(line) as SyncedSecret['data'] }))
  })
  return versions
}
