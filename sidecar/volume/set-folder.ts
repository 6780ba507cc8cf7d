import { constants } from 'node:fs'
import { chmod, lstat, mkdir, open, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { variableFolder } from '../../shared/variables.ts'
import type { FileSet, SetFile } from '../../shared/render/rendered.ts'

/** Folders are readable by all, but for that of variables, which the kubelet reads as root; files have their own permission bits. */
const modeOf = (folder: string): number => (folder === variableFolder ? 0o700 : 0o755)

/** Writes a set into its own folder and returns when all of it is stored durably. Permission bits do not depend on the umask. */
export async function writeSet(folder: string, files: FileSet): Promise<void> {
  await makeFolder(folder, modeOf(''))
  const folders = new Set([folder])
  for (const path of files.keys()) {
    for (const parent of parents(path)) {
      if (folders.has(join(folder, parent))) continue
      await makeFolder(join(folder, parent), modeOf(parent))
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

/** The existing files of a set with their current permission bits; a link, pipe or device is not a file. */
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

/** True if the entry does not exist or is not a file of the sidecar's. */
export const isAbsence = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')

/** Bytes; a secret has at most 25 kB, so a file of all secrets fits easily. */
const largestFile = 64 * 1024 * 1024

/**
 * Reads a regular file. It neither follows a link nor waits for a pipe, because an app that runs as the sidecar's user can
 * replace the file with either.
 */
export async function readPlain(path: string, largest = largestFile): Promise<SetFile> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw notAFile('EISDIR')
    if (stats.size > largest) throw notAFile('EFBIG')
    return { content: await file.readFile(), mode: stats.mode & 0o777 }
  } finally {
    await file.close()
  }
}

/** Makes a folder's entries durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Reads a file of the sidecar's whose permission bits may exclude its owner. */
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
 * A folder of a volume with an `fsGroup` has the set-group-ID bit, which gives files that group; a chmod without it would give
 * them the sidecar's own group. {@link https://kubernetes.io/docs/tasks/configure-pod-container/security-context/}
 */
async function makeFolder(path: string, wanted: number): Promise<void> {
  await mkdir(path)
  const { mode } = await stat(path)
  await chmod(path, wanted | (mode & 0o2000))
}

/** `a/b/c` has `a` and `a/b`. */
function parents(path: string): string[] {
  const found: string[] = []
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) found.unshift(folder)
  return found
}
