import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'

/**
 * A folder that every user of this machine may read and write, removed after the test. It is not in the repository, which may
 * lie in a folder that other users cannot enter (`/root`, what `mktemp -d` makes); neither is it in such a `TMPDIR`.
 */
export function openFolder(t: Pick<Test, 'teardown'>): string {
  const parent = [tmpdir(), '/tmp', '/var/tmp', '/dev/shm'].find(isOpen)
  if (parent === undefined) throw new Error('this machine has no temporary folder that every user may enter')
  const folder = mkdtempSync(join(parent, 'akv-injector-'))
  chmodSync(folder, 0o777)
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/** Returns whether every user may enter a folder, which takes the right to enter each folder above it. */
export function isOpen(folder: string): boolean {
  const mode = statSync(folder, { throwIfNoEntry: false })?.mode ?? 0
  const parent = dirname(folder)
  return (mode & 0o001) !== 0 && (parent === folder || isOpen(parent))
}
