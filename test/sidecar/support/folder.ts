import { accessSync, constants, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder in memory, as the pod's volume is, where the machine has such a place: there fsync costs nothing. */
export function memoryFolder(prefix: string): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return mkdtempSync(join('/dev/shm', prefix))
  } catch {
    return mkdtempSync(join(tmpdir(), prefix))
  }
}
