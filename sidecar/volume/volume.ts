import { randomBytes } from 'node:crypto'
import { readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'

import { oneAtATime } from '../pool.ts'
import { dataLink, firstComponents, folderName, leftovers, notifiedFile } from './entries.ts'
import type { FileSet } from './file-set.ts'
import { parseManifest, type Manifest } from './manifest.ts'
import { readSet, syncFolder, writeFileDurably, writeSet } from './set-folder.ts'

/** A complete set as it lies in the volume. */
export interface StoredSet {
  manifest: Manifest
  files: FileSet
}

/** Begins with `..` like every entry of ours, so that no path of a user's can be it. */
const manifestFile = '..manifest.json'
const world = 0o444

/**
 * The pod's secrets volume, written as the kubelet writes its own atomic volumes
 * ({@link https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go}): each set has a folder
 * of its own, `..data` points to the current one, and what a user sees are links `<name>` -> `..data/<name>`. One rename
 * switches the whole set, its manifest included. A crash at any point leaves a complete set, and leftovers that the next
 * write removes.
 */
export class Volume {
  readonly #mount: string
  readonly #now: () => number
  /** A clean-up must not take away what another step is about to rename. */
  readonly #exclusively = oneAtATime()

  constructor(mount: string, { now = Date.now }: { now?: () => number } = {}) {
    this.#mount = mount
    this.#now = now
  }

  /** The current set; undefined where there is none, or where it lacks a file of its manifest. */
  async read(): Promise<StoredSet | undefined> {
    const folder = await this.#currentFolder()
    const manifest = await this.#manifest(folder)
    if (folder === undefined || manifest === undefined) return undefined
    const files = await readSet(this.#path(folder), manifest.files)
    return files && { manifest, files }
  }

  /**
   * Makes a set the current one.
   * @throws the file system's error, with the earlier set still current and the new one's remains gone
   */
  async switchTo(files: FileSet, manifest: Manifest): Promise<void> {
    return this.#exclusively(() => this.#switchTo(files, manifest))
  }

  /** Removes what crashes and earlier sets left behind, and puts back links that are missing. */
  async clean(): Promise<void> {
    return this.#exclusively(() => this.#clean())
  }

  /** The id of the notification delivered last. */
  async notified(): Promise<string | undefined> {
    return readFile(this.#path(notifiedFile), 'utf8').catch(absent)
  }

  async markNotified(id: string): Promise<void> {
    return this.#exclusively(async () => {
      const next = this.#path(`${notifiedFile}_tmp`)
      await rm(next, { force: true })
      await writeFileDurably(next, { content: Buffer.from(id), mode: world })
      await rename(next, this.#path(notifiedFile))
      await syncFolder(this.#mount)
    })
  }

  async #switchTo(files: FileSet, manifest: Manifest): Promise<void> {
    await this.#clean()
    const folder = folderName(this.#now(), randomBytes(4).toString('hex'))
    try {
      const described = { content: Buffer.from(JSON.stringify(manifest)), mode: world }
      await writeSet(this.#path(folder), new Map([...files, [manifestFile, described]]))
      await this.#link(firstComponents(files.keys()))
      await symlink(folder, this.#path(`${dataLink}_tmp`))
      await syncFolder(this.#mount)
      await rename(this.#path(`${dataLink}_tmp`), this.#path(dataLink))
    } catch (error) {
      await rm(this.#path(folder), { recursive: true, force: true })
      throw error
    }
    // The set is switched: what goes wrong from here on is put right by the next clean-up.
    await this.#clean().catch(() => undefined)
  }

  async #clean(): Promise<void> {
    const current = await this.#currentFolder()
    const manifest = await this.#manifest(current)
    const names = manifest && firstComponents(Object.keys(manifest.files))
    const entries = await readdir(this.#mount, { withFileTypes: true })
    for (const name of leftovers(entries, { current, names })) {
      await rm(this.#path(name), { recursive: true, force: true })
    }
    await this.#link(names ?? [])
    await syncFolder(this.#mount)
  }

  #path(name: string): string {
    return join(this.#mount, name)
  }

  async #currentFolder(): Promise<string | undefined> {
    return readlink(this.#path(dataLink)).catch(absent)
  }

  async #manifest(folder: string | undefined): Promise<Manifest | undefined> {
    if (folder === undefined) return undefined
    const text = await readFile(join(this.#mount, folder, manifestFile), 'utf8').catch(absent)
    return text === undefined ? undefined : parseManifest(text)
  }

  /** Makes the links that users open, by one rename each, so that a name never stops existing. */
  async #link(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      const target = join(dataLink, name)
      if ((await readlink(this.#path(name)).catch(absent)) === target) continue
      const next = this.#path(`${dataLink}_link`)
      await rm(next, { force: true })
      await symlink(target, next)
      await rename(next, this.#path(name))
    }
  }
}

/** @returns undefined for a name that does not exist or is no link */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'EINVAL') throw error
}
