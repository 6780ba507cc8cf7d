import type { Clock, Random } from '../shared/clock.ts'
import { SourceCache } from '../shared/detect/cache.ts'
import { Failures } from '../shared/detect/failures.ts'
import { readVault, type KnownSources, type ReadDependencies, type ReadResult } from '../shared/detect/read-vault.ts'
import type { ServedObject } from '../shared/coordination/reports.ts'
import { watchedObject } from '../shared/coordination/source.ts'
import { isFixed, type Source } from '../shared/detect/sources.ts'
import { objectName } from '../shared/objects/spec.ts'
import { createRenderer } from '../shared/render/renderer.ts'
import type { SetFile } from '../shared/render/rendered.ts'
import type { Fetched, VaultFailure } from '../shared/vault/store.ts'
import type { ClassPlan } from './plan.ts'

/** The values of some objects of a class, all read in the same poll. */
export interface ReadFiles {
  files: ReadonlyMap<string, SetFile>
  /** Why there are no files of an object, by its index. */
  problems: ReadonlyMap<number, string>
  /** By the object's index. */
  versions: ReadonlyMap<number, string>
  /** False if the vault kept changing: the values may never have existed at the same moment. */
  consistent: boolean
}

/** What a poll of a class's vault found. */
export interface ClassRead {
  /** Absent if nothing had to be read for a Secret. */
  read?: ReadFiles
  /** The objects whose values were read for Secrets, by index. */
  wanted: ReadonlySet<number>
  /** The objects that changed, by index: a Secret with one of them has to be written. */
  changed: ReadonlySet<number>
  /** All failures of the poll. */
  failures: readonly VaultFailure[]
}

type Dependencies = ReadDependencies & { clock: Pick<Clock, 'now' | 'elapsed'>; random: Random }

/**
 * Reads the objects of a class. Between polls it keeps versions, but no values: if one object of a Secret changes, all objects of that Secret
 * are read again, so that a Secret never mixes values of different polls.
 */
export class ClassReader {
  readonly #plan: ClassPlan
  readonly #dependencies: Dependencies
  readonly #cache: SourceCache
  readonly #failures: Failures

  constructor(plan: ClassPlan, dependencies: Dependencies) {
    const { clock, random } = dependencies
    this.#plan = plan
    this.#dependencies = dependencies
    this.#failures = new Failures(clock)
    // The program deletes nothing, so an object that is gone is a failure like any other.
    const settings = { objects: plan.objects, fullRefresh: plan.fullRefresh, onDelete: 'retain' as const }
    this.#cache = new SourceCache(settings, { clock, random, failures: this.#failures })
  }

  /**
   * Finds out what changed, and reads the values of every Secret that has to be written.
   * @param sets the indices of the objects of each Secret that may be written
   * @param isStale whether a Secret has to be written even if none of its objects changed
   */
  async read(sets: readonly (readonly number[])[], isStale: (set: number) => boolean): Promise<ClassRead> {
    const { sources } = this.#cache
    const first = await readVault(sources, this.#cache, this.#dependencies)
    const changed = new Set([...this.#cache.changed(first).keys()].flatMap(({ objects }) => objects))
    this.#update(first)
    const failed = new Set([...first.failures.keys(), ...first.unread.keys()].flatMap(({ objects }) => objects))
    const wanted = new Set(
      sets
        .filter((set, index) => isStale(index) || set.some((one) => changed.has(one)))
        // Half a Secret is not written, so its other half need not be read.
        .filter((set) => !set.some((one) => failed.has(one)))
        .flat(),
    )
    const needed = sources.filter(({ objects }) => objects.some((index) => wanted.has(index)))
    const failures = [...first.listFailures, ...first.failures.values()]
    if (needed.length === 0) return { wanted, changed, failures }
    const isComplete = needed.every((source) => first.reads.get(source)?.contents)
    if (isComplete) return { wanted, changed, failures, read: await this.#render(first, needed) }
    const again = await readVault(needed, this.#forgotten, this.#dependencies)
    // Also what changed since the first read: a Secret that shares such an object, and was not wanted, is due at the next poll.
    for (const { objects } of this.#cache.changed(again).keys()) for (const index of objects) changed.add(index)
    this.#update(again)
    return {
      ...{ wanted, changed, read: await this.#render(again, needed) },
      failures: [...failures, ...again.listFailures, ...again.failures.values()],
    }
  }

  /** What a coordinator may watch: objects that can change, in the versions that were read last. */
  served(): ServedObject[] {
    return this.#cache.sources.flatMap((source) => {
      const record = this.#cache.known(source)?.record
      if (!record || isFixed(source) || source.history > 1) return []
      return [{ ...watchedObject(source), version: record.version }]
    })
  }

  /** Nothing is known of the values, but what lists cost is. */
  readonly #forgotten: KnownSources = {
    known: () => undefined,
    contents: () => undefined,
    listing: (group) => this.#cache.listing(group),
    isFailing: (source) => this.#cache.isFailing(source),
  }

  #update(read: ReadResult): void {
    // A history would otherwise stay in memory, so that its older versions are not read again.
    const reads = new Map(Array.from(read.reads, ([source, { record }]) => [source, { record }]))
    this.#cache.update({ ...read, reads }, new Map())
    this.#failures.update(this.#cache.sources, read, new Map())
  }

  async #render(result: ReadResult, needed: readonly Source[]): Promise<ReadFiles> {
    const { objects, templates } = this.#plan
    const contents = new Map<Source, readonly Fetched[]>()
    const problems = new Map<number, string>()
    const versions = new Map<number, string>()
    for (const source of needed) {
      const read = result.reads.get(source)
      const failure = result.failures.get(source) ?? result.unread.get(source)
      if (read?.contents) contents.set(source, read.contents)
      for (const index of source.objects) {
        if (read?.contents) versions.set(index, read.record.version)
        else problems.set(index, failure?.message ?? `${objectName(objects[index] ?? source)} was not read`)
      }
    }
    const renderer = createRenderer({ objects, templates, bundles: {} })
    const files = new Map<string, SetFile>()
    for (const [index, rendered] of await renderer.objects(contents)) {
      if (rendered.ok) for (const { path, content } of rendered.value.files) files.set(path, { content, mode: 0 })
      else problems.set(index, rendered.problems.join('; '))
    }
    // A template may refer to any object, so it needs all of them.
    if (problems.size === 0 && contents.size === this.#cache.sources.length) {
      for (const [path, text] of await renderer.texts(files))
        if (text.ok) files.set(path, { content: text.value, mode: 0 })
        else problems.set(textProblem, text.problems.join('; '))
    }
    return { files, problems, versions, consistent: result.consistent }
  }
}

/** Stands for the templates of a class among the indices of its objects. */
export const textProblem = -1
