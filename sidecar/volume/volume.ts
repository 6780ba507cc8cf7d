import { randomBytes } from 'node:crypto'
import { lstat, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'

import { realClock, type Clock } from '../../shared/clock.ts'
import { createQueue } from '../../shared/concurrency.ts'
import { dataLink, firstComponents, folderName, keptFiles, leftovers, notifiedFile } from './entries.ts'
import type { FileSet } from '../../shared/render/rendered.ts'
import { parseManifest, type Manifest } from './manifest.ts'
import { intact, manifestFile, createSeal, strayEntries, type Seal } from './seal.ts'
import { isAbsence, readPlain, readSet, syncFolder, writeFileDurably, writeSet } from './set-folder.ts'

/** A complete set in the volume. */
export interface StoredSet {
  manifest: Manifest
  /** The unchanged files. */
  files: FileSet
  /** What was changed since it was written: paths, and entries of the volume itself. Absent if nothing was. */
  tampered?: string[]
}

const world = 0o444
/** Bytes of a text that is kept: what a coordinator sends in one event is smaller. */
const largestKept = 64 * 1024

/**
 * The pod's secrets volume, written as the kubelet writes its own atomic volumes
 * ({@link https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go}): each set has a folder
 * of its own, `..data` points to the current one, and what a user sees are links `<name>` -> `..data/<name>`. One rename
 * switches the whole set, its manifest included. A crash at any point leaves a complete set, and leftovers that the next
 * write removes.
 */
export class Volume {
  readonly #mount: string
  readonly #clock: Pick<Clock, 'now'>
  /** A clean-up must not remove what another step is about to rename. */
  readonly #exclusively = createQueue()
  /** The seal of the current set, as this process wrote it or first found it. */
  #seal: Seal | undefined

  constructor(mount: string, clock: Pick<Clock, 'now'> = realClock) {
    this.#mount = mount
    this.#clock = clock
  }

  /**
   * The current set; undefined if there is none. If this process has written or read the set before, files changed since are
   * left out and listed in `tampered`; a set found at the start has every file of its manifest, and is trusted.
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
    const seal = createSeal(folder, manifest, found)
    this.#seal = seal
    const made = new Map(
      paths.map((path) => [
        path,
        { content: found.get(path)?.content ?? Buffer.alloc(0), mode: manifest.files[path] ?? 0 },
      ]),
    )
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
   * @throws the file system's error; the previous set is still current then, and the remains of the new one are removed
   */
  async switchTo(files: FileSet, manifest: Manifest): Promise<void> {
    return this.#exclusively(() => this.#switchTo(files, manifest))
  }

  /** Removes the remains of crashes and previous sets, and restores missing links. */
  async clean(): Promise<void> {
    return this.#exclusively(() => this.#clean())
  }

  /** The ID of the notification delivered last. */
  async notified(): Promise<string | undefined> {
    return this.#text(notifiedFile)
  }

  async markNotified(id: string): Promise<void> {
    return this.#exclusively(() => this.#writeText(notifiedFile, id))
  }

  /** What {@link keep} wrote last; undefined if there is nothing of a plausible size. */
  async kept(what: keyof typeof keptFiles): Promise<string | undefined> {
    return this.#text(keptFiles[what], largestKept)
  }

  /** Keeps a text for the next process. */
  async keep(what: keyof typeof keptFiles, text: string): Promise<void> {
    return this.#exclusively(() => this.#writeText(keptFiles[what], text))
  }

  async #writeText(name: string, text: string): Promise<void> {
    const next = this.#path(`${name}_tmp`)
    await rm(next, { recursive: true, force: true })
    await writeFileDurably(next, { content: Buffer.from(text), mode: world })
    await this.#replace(name, next)
    await syncFolder(this.#mount)
  }

  async #switchTo(files: FileSet, manifest: Manifest): Promise<void> {
    await this.#clean()
    const folder = folderName(this.#clock.now(), randomBytes(4).toString('hex'))
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
    this.#seal = createSeal(folder, manifest, all)
    // The set is switched: the next clean-up corrects whatever fails from here on.
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
    // Only a folder of the volume itself, wherever a link leads.
    return folder !== undefined && /^\.\.\d[\w.]*$/.test(folder) && (await this.#isFolder(folder)) ? folder : undefined
  }

  async #manifest(folder: string | undefined): Promise<Manifest | undefined> {
    if (folder === undefined) return undefined
    if (this.#seal) return this.#seal.manifest
    const text = await this.#text(join(folder, manifestFile))
    return text === undefined ? undefined : parseManifest(text)
  }

  async #text(name: string, largest?: number): Promise<string | undefined> {
    const file = await readPlain(this.#path(name), largest).catch(absent)
    return file && Buffer.from(file.content).toString()
  }

  /** One rename, unless a folder is in the way: containers mount the volume read-only, so it is not theirs and is removed first. */
  async #replace(name: string, next: string): Promise<void> {
    if (await this.#isFolder(name)) await rm(this.#path(name), { recursive: true })
    await rename(next, this.#path(name))
  }

  async #isFolder(name: string): Promise<boolean> {
    return (await lstat(this.#path(name)).catch(absent))?.isDirectory() ?? false
  }

  /** Creates the links that users open, by one rename each, so that a name exists at every moment. */
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

/** @returns undefined for a name that does not exist or is not a link */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EINVAL' && !isAbsence(error)) throw error
}
