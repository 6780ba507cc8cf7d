import { createHash } from 'node:crypto'
import { opendir, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { dataLink, firstComponents } from './entries.ts'
import type { FileSet, SetFile } from '../../shared/render/rendered.ts'
import type { Manifest } from './manifest.ts'
import { isAbsence, readPlain } from './set-folder.ts'

/** Begins with `..` like every entry of the sidecar's, so that no user's path can be the same. */
export const manifestFile = '..manifest.json'

/** A set as it was written: digests, no values. */
export interface Seal {
  folder: string
  manifest: Manifest
  /** By path, the manifest's included. */
  digests: ReadonlyMap<string, string>
}

const digestOf = ({ content }: SetFile): string => createHash('sha256').update(content).digest('base64')

/** A restarted kubelet gives files of a volume with an `fsGroup` to the group: SetVolumeOwnership, 0660. */
const isMode = (found: number, made = 0): boolean => found === made || found === (made | 0o660)

export const createSeal = (folder: string, manifest: Manifest, files: FileSet): Seal => ({
  folder,
  manifest,
  digests: new Map(Array.from(files, ([path, file]) => [path, digestOf(file)])),
})

/** The files that are unchanged, with the permission bits that they were written with. */
export const intact = (files: FileSet, { digests, manifest }: Seal): FileSet =>
  new Map(
    [...files]
      .filter(([path, file]) => digests.get(path) === digestOf(file) && isMode(file.mode, manifest.files[path]))
      .map(([path, { content }]) => [path, { content, mode: manifest.files[path] ?? 0 }]),
  )

/**
 * The entries of a volume, apart from its files, that were changed: the manifest, links that lead elsewhere and entries added
 * to the set. The names of added entries are somebody else's choice and are not repeated.
 */
export async function strayEntries(mount: string, { folder, manifest, digests }: Seal): Promise<string[]> {
  const stray: string[] = []
  const paths = Object.keys(manifest.files)
  const links = new Map([
    [dataLink, folder],
    ...Array.from(firstComponents(paths), (name) => [name, join(dataLink, name)] as const),
  ])
  for (const [name, target] of links) {
    if ((await readlink(join(mount, name)).catch(() => undefined)) !== target) stray.push(name)
  }
  const described = await readPlain(join(mount, folder, manifestFile)).catch(absent)
  if (described === undefined || digestOf(described) !== digests.get(manifestFile)) stray.push(manifestFile)
  if (await hasMore(join(mount, folder), [...digests.keys()])) stray.push('an entry that was added')
  return stray
}

/** True if folders contain anything but files at these paths; stops at the first, because there may be any number. */
async function hasMore(root: string, paths: readonly string[]): Promise<boolean> {
  const known = new Set<string>()
  for (const path of paths) for (let at = path; at !== '.'; at = dirname(at)) known.add(at)
  for (const folder of new Set(Array.from(known, (path) => dirname(path)))) {
    const entries = await opendir(join(root, folder)).catch(absent)
    if (entries === undefined) continue
    for await (const { name } of entries) if (!known.has(join(folder, name))) return true
  }
  return false
}

function absent(error: unknown): undefined {
  if (!isAbsence(error)) throw error
}
