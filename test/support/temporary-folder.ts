import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Creates an empty folder that is removed after the test. */
export function temporaryFolder(t: Pick<Test, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'akv-injector-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Creates an empty folder in memory, like the pod's volume, if the machine has one: fsync costs nothing there. */
export function memoryFolder(prefix: string): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return mkdtempSync(join('/dev/shm', prefix))
  } catch {
    return mkdtempSync(join(tmpdir(), prefix))
  }
}
