import { constants } from 'node:fs'
import { chmod, lstat, mkdir, open, stat } from 'node:fs/promises'
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

/** The files of a set that are there, with the permission bits that they have; a link, pipe or device is not a file. */
export async function readSet(folder: string, paths: Iterable<string>): Promise<FileSet> {
  const files = new Map<string, SetFile>()
  for (const path of paths) {
    try {
      for (const parent of ['', ...parents(path)]) {
        if (!(await lstat(join(folder, parent))).isDirectory()) throw notAFile('ENOTDIR')
      }
      files.set(path, await readOwn(join(folder, path)))
    } catch (error) {
      if (!isAbsence(error)) throw error
    }
  }
  return files
}

const notAFile = (code: string): Error => Object.assign(new Error('not a file'), { code })

/** Whether what was to be read is not there, or is not a file of the sidecar's. */
export const isAbsence = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')

/** Bytes; a secret has at most 25 kB, and a file of all of them fits easily. */
const largestFile = 64 * 1024 * 1024

/**
 * Reads a regular file. A link is not followed and a pipe not waited for: an app of the sidecar's user can put either in
 * its place.
 */
export async function readPlain(path: string): Promise<SetFile> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw notAFile('EISDIR')
    if (stats.size > largestFile) throw notAFile('EFBIG')
    return { content: await file.readFile(), mode: stats.mode & 0o777 }
  } finally {
    await file.close()
  }
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
async function readOwn(path: string): Promise<SetFile> {
  try {
    return await readPlain(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    const { mode } = await lstat(path)
    await chmod(path, mode | 0o400)
    try {
      return { content: (await readPlain(path)).content, mode: mode & 0o777 }
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
