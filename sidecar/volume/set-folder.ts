import { constants } from 'node:fs'
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import type { FileSet, SetFile } from './file-set.ts'

/** Folders are open to all; what is in them has permission bits of its own. */
const folderMode = 0o755

/** Writes a set into a folder of its own and returns when all of it is stored. Permission bits do not depend on the umask. */
export async function writeSet(folder: string, files: FileSet): Promise<void> {
  await makeFolder(folder)
  const folders = new Set([folder])
  for (const path of files.keys()) {
    for (const parent of parents(path)) {
      if (folders.has(join(folder, parent))) continue
      await makeFolder(join(folder, parent))
      folders.add(join(folder, parent))
    }
  }
  for (const [path, file] of files) await writeFileDurably(join(folder, path), file)
  for (const path of folders) await syncFolder(path)
}

/** Creates a file; it must not exist. */
export async function writeFileDurably(path: string, { content, mode }: SetFile): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.chmod(mode)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Reads the files of a set, with the permission bits that it was made with; undefined where one is missing. */
export async function readSet(folder: string, modes: Record<string, number>): Promise<FileSet | undefined> {
  const files = new Map<string, SetFile>()
  for (const [path, mode] of Object.entries(modes)) {
    try {
      files.set(path, { content: await readOwn(join(folder, path)), mode })
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }
  return files
}

/** Makes a folder's entries last. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Reads a file of ours whose permission bits may leave its owner out. */
async function readOwn(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    const { mode } = await stat(path)
    await chmod(path, mode | 0o400)
    try {
      return await readFile(path)
    } finally {
      await chmod(path, mode)
    }
  }
}

/**
 * A folder of a volume with an `fsGroup` has the set-group-id bit, which gives files that group; a chmod without it would leave them
 * to the sidecar's own group. {@link https://kubernetes.io/docs/tasks/configure-pod-container/security-context/}
 */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path)
  const { mode } = await stat(path)
  await chmod(path, folderMode | (mode & 0o2000))
}

/** `a/b/c` has `a` and `a/b`. */
function parents(path: string): string[] {
  const found: string[] = []
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) found.unshift(folder)
  return found
}
