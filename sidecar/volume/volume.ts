import { randomBytes } from 'node:crypto'
import { lstat, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'

import { oneAtATime } from '../pool.ts'
import { dataLink, firstComponents, folderName, leftovers, notifiedFile } from './entries.ts'
import type { FileSet } from './file-set.ts'
import { parseManifest, type Manifest } from './manifest.ts'
import { intact, manifestFile, sealOf, strayEntries, type Seal } from './seal.ts'
import { isAbsence, readPlain, readSet, syncFolder, writeFileDurably, writeSet } from './set-folder.ts'

/** A complete set as it lies in the volume. */
export interface StoredSet {
  manifest: Manifest
  /** Those that are as they were written. */
  files: FileSet
  /** What is not as it was written: paths, and entries of the volume's own. Absent if there is nothing. */
  tampered?: string[]
}

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
  /** Of the current set, as this process wrote it or first found it. */
  #seal: Seal | undefined

  constructor(mount: string, { now = Date.now }: { now?: () => number } = {}) {
    this.#mount = mount
    this.#now = now
  }

  /**
   * The current set; undefined if there is none. Of a set that this process has written or read before, what differs from
   * then is left out and named; one that it finds lacks no file of its manifest, and is believed.
   */
  async read(): Promise<StoredSet | undefined> {
    return this.#exclusively(() => (this.#seal ? this.#check(this.#seal) : this.#find()))
  }

  async #find(): Promise<StoredSet | undefined> {
    const folder = await this.#currentFolder()
    const manifest = await this.#manifest(folder)
    if (folder === undefined || manifest === undefined) return undefined
    const paths = Object.keys(manifest.files)
    const found = await readSet(this.#path(folder), [...paths, manifestFile])
    if ([...paths, manifestFile].some((path) => !found.has(path))) return undefined
    const seal = sealOf(folder, manifest, found)
    this.#seal = seal
    const made = new Map(paths.map((path) => [path, { content: found.get(path)?.content ?? Buffer.alloc(0), mode: manifest.files[path] ?? 0 }])) // prettier-ignore
    return { manifest, files: made }
  }

  async #check(seal: Seal): Promise<StoredSet> {
    const { folder, manifest } = seal
    const paths = Object.keys(manifest.files)
    const files = intact(await readSet(this.#path(folder), paths), seal)
    const tampered = [...paths.filter((path) => !files.has(path)), ...(await strayEntries(this.#mount, seal))]
    return { manifest, files, ...(tampered.length > 0 && { tampered }) }
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
    return this.#text(notifiedFile)
  }

  async markNotified(id: string): Promise<void> {
    return this.#exclusively(async () => {
      const next = this.#path(`${notifiedFile}_tmp`)
      await rm(next, { recursive: true, force: true })
      await writeFileDurably(next, { content: Buffer.from(id), mode: world })
      await this.#replace(notifiedFile, next)
      await syncFolder(this.#mount)
    })
  }

  async #switchTo(files: FileSet, manifest: Manifest): Promise<void> {
    await this.#clean()
    const folder = folderName(this.#now(), randomBytes(4).toString('hex'))
    const described = { content: Buffer.from(JSON.stringify(manifest)), mode: world }
    const all = new Map([...files, [manifestFile, described]])
    try {
      await writeSet(this.#path(folder), all)
      await this.#link(firstComponents(files.keys()))
      await symlink(folder, this.#path(`${dataLink}_tmp`))
      await syncFolder(this.#mount)
      await this.#replace(dataLink, this.#path(`${dataLink}_tmp`))
    } catch (error) {
      await rm(this.#path(folder), { recursive: true, force: true })
      throw error
    }
    this.#seal = sealOf(folder, manifest, all)
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
    if (this.#seal) return this.#seal.folder
    const folder = await readlink(this.#path(dataLink)).catch(absent)
    // Only a folder of the volume itself, wherever links lead.
    return folder !== undefined && /^\.\.\d[\w.]*$/.test(folder) && (await this.#isFolder(folder)) ? folder : undefined
  }

  async #manifest(folder: string | undefined): Promise<Manifest | undefined> {
    if (folder === undefined) return undefined
    if (this.#seal) return this.#seal.manifest
    const text = await this.#text(join(folder, manifestFile))
    return text === undefined ? undefined : parseManifest(text)
  }

  async #text(name: string): Promise<string | undefined> {
    const file = await readPlain(this.#path(name)).catch(absent)
    return file && Buffer.from(file.content).toString()
  }

  /** One rename, except if a folder stands there: containers have the volume read-only, so it is not theirs and goes first. */
  async #replace(name: string, next: string): Promise<void> {
    if (await this.#isFolder(name)) await rm(this.#path(name), { recursive: true })
    await rename(next, this.#path(name))
  }

  async #isFolder(name: string): Promise<boolean> {
    return (await lstat(this.#path(name)).catch(absent))?.isDirectory() ?? false
  }

  /** Makes the links that users open, by one rename each, so that a name never stops existing. */
  async #link(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      const target = join(dataLink, name)
      if ((await readlink(this.#path(name)).catch(absent)) === target) continue
      const next = this.#path(`${dataLink}_link`)
      await rm(next, { recursive: true, force: true })
      await symlink(target, next)
      await this.#replace(name, next)
    }
  }
}

/** @returns undefined for a name that does not exist or is no link */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EINVAL' && !isAbsence(error)) throw error
}
