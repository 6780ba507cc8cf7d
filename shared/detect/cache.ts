import type { Clock, Random } from '../clock.ts'
import type { ObjectSpec } from '../objects/spec.ts'
import type { Rendered, RenderedFile } from '../render/rendered.ts'
import type { Result } from '../result.ts'
import type { Settings } from '../settings/codec.ts'
import type { Fetched } from '../vault/store.ts'
import { findKey, type Failures } from './failures.ts'
import { refreshAfter, sameRecord, type Known, type Listing } from './read-plan.ts'
import type { KnownSources, ReadResult } from './read-vault.ts'
import type { FoundList, FoundRecord, Selection, SelectionChange } from './selection.ts'
import { sourcesOf, type Source, type SourceRecord } from './sources.ts'

export interface CacheDependencies {
  clock: Pick<Clock, 'elapsed'>
  random: Random
  /** The versions of the objects, by index. */
  failures: Pick<Failures, 'get' | 'has' | 'isOwn' | 'isRendered'>
  /** Of the pod's finds; absent if it has none. */
  selection?: Selection | undefined
}

type Plan = Pick<Settings, 'objects' | 'onDelete' | 'fullRefresh'>

/**
 * What is known between polls: per source what was read last, and per object the rendered files that have not been switched
 * in. Contents stay in memory only if a history needs them again; files live in the volume.
 */
export class SourceCache implements KnownSources {
  /** Of the named objects, and of those that finds selected. */
  sources: readonly Source[]
  readonly selection: Selection | undefined
  /** Files rendered since the last switch, by the object's index; empty if the object was deleted. */
  readonly pending = new Map<number, readonly RenderedFile[]>()
  readonly #plan: Plan
  readonly #dependencies: CacheDependencies
  /** By the object's index. */
  #sourceOf: ReadonlyMap<number, Source>
  /** By the source's key. */
  readonly #known = new Map<string, Known>()
  readonly #contents = new Map<string, Fetched[]>()
  /** True if something besides objects' files has to be switched in: a selection, or a template or bundle. */
  #isSwitchExpected = false
  readonly #listings = new Map<string, Listing>()

  constructor(plan: Plan, dependencies: CacheDependencies) {
    this.selection = dependencies.selection
    this.sources = sourcesOf(plan.objects)
    this.#sourceOf = byObject(this.sources)
    this.#plan = plan
    this.#dependencies = dependencies
  }

  known = (source: Source): Known | undefined => this.#known.get(source.key)
  contents = (source: Source): Fetched[] | undefined => this.#contents.get(source.key)
  listing = (group: string): Listing => this.#listings.get(group) ?? {}
  isFailing = (source: Source): boolean => source.objects.some(this.#dependencies.failures.isOwn)

  /** An object by its index: a named one, or one that is selected at the moment. */
  object(index: number): ObjectSpec | undefined {
    return this.#plan.objects[index] ?? this.selection?.matches.get(index)?.object
  }

  /** All objects by index: the named ones, then those that finds selected. */
  *objects(): Iterable<[index: number, object: ObjectSpec]> {
    yield* this.#plan.objects.entries()
    for (const [index, { object }] of this.selection?.matches ?? []) yield [index, object]
  }

  /** The lists that the pod's finds need. */
  foundLists(): FoundList[] {
    return this.selection?.lists((find) => this.#dependencies.failures.has(findKey(find))) ?? []
  }

  /** Those of a vault. */
  sourcesIn = (url: string): Source[] => this.sources.filter(({ vault }) => vault === url)

  /** True if something has to be switched in. */
  get isPending(): boolean {
    return this.pending.size > 0 || this.#isSwitchExpected
  }

  /** To be called if something besides objects' files has to be switched in. */
  expectSwitch(): void {
    this.#isSwitchExpected = true
  }

  /** Takes over what the finds of a vault selected; the files of matches that ended go with the next switch. */
  select({ addedIndices, removedIndices }: SelectionChange): void {
    if (addedIndices.size + removedIndices.length === 0) return
    for (const index of removedIndices) this.pending.delete(index)
    this.#reselect()
    this.expectSwitch()
    const keys = new Set(this.sources.map(({ key }) => key))
    for (const key of [...this.#known.keys(), ...this.#contents.keys()]) if (!keys.has(key)) this.#forget(key)
    // What was read before was not rendered for them.
    for (const index of addedIndices) this.#forget(this.#sourceOf.get(index)?.key ?? '')
  }

  /** Takes over the matches of a set that an earlier process left in the volume. */
  restoreSelection(found: Readonly<Record<number, FoundRecord>>): void {
    this.selection?.restore(found)
    this.#reselect()
  }

  /** Takes over the records of a set that an earlier process left in the volume. */
  restore(records: Readonly<Record<string, SourceRecord>>): void {
    const { clock, random } = this.#dependencies
    for (const source of this.sources) {
      const record = records[source.key]
      // At any moment of the period, so that restarting a fleet does not lead to a full refresh of all pods at once.
      const refreshAt = clock.elapsed() + this.#plan.fullRefresh * random()
      if (record) this.#known.set(source.key, { record, refreshAt, isBelieved: true })
    }
  }

  /** Invalidates everything, so that every source is read again. */
  invalidate(): void {
    this.#known.clear()
  }

  /** Returns the sources whose contents differ from the previous read: these have to be rendered. */
  changed({ reads }: ReadResult): Map<Source, readonly Fetched[]> {
    const changed = new Map<Source, readonly Fetched[]>()
    for (const [source, { record, contents }] of reads) {
      const known = this.#known.get(source.key)
      if (contents && (known?.isBelieved || !sameRecord(record, known?.record))) changed.set(source, contents)
    }
    return changed
  }

  /** Stores what a poll read, and the files rendered from it by the object's index. */
  update(read: ReadResult, rendered: ReadonlyMap<number, Result<Rendered>>): void {
    for (const [group, listing] of read.listings) this.#listings.set(group, listing)
    for (const [source, { record, contents }] of read.reads) this.#remember(source, record, contents)
    for (const [index, result] of rendered) {
      if (result.ok) this.pending.set(index, result.value.files)
      else this.pending.delete(index)
    }
    if (this.#plan.onDelete !== 'delete') return
    for (const [source, { kind }] of read.failures) if (kind === 'gone') this.#delete(source)
  }

  /** Returns the version in which an object was last read. */
  version(index: number): string | undefined {
    return this.record(index)?.version
  }

  /** Returns the versions in which sources were last read, by the source's key. */
  versionsBySource = (): Map<string, string> =>
    new Map(Array.from(this.#known, ([key, { record }]) => [key, record.version]))

  /** Returns the last read of an object. */
  record(index: number): SourceRecord | undefined {
    const source = this.#sourceOf.get(index)
    return source && this.#known.get(source.key)?.record
  }

  /** True if every source was read at least once, or failed, or a failure made requesting it pointless. */
  get isTried(): boolean {
    const { failures } = this.#dependencies
    return this.sources.every(
      (source) => this.#known.has(source.key) || source.objects.every((index) => failures.has(index)),
    )
  }

  /** To be called when the volume has all pending files. */
  clearPending(): void {
    this.pending.clear()
    this.#isSwitchExpected = false
  }

  /** The records for the manifest, without sources that could not be rendered: a restart reads those again. */
  records(): Record<string, SourceRecord> {
    const { failures } = this.#dependencies
    const isRendered = ({ objects }: Source) => objects.every(failures.isRendered)
    const rendered = this.sources.flatMap((source) => {
      const known = this.#known.get(source.key)
      return known && isRendered(source) ? [[source.key, known.record] as const] : []
    })
    return Object.fromEntries(rendered)
  }

  #remember(source: Source, record: SourceRecord, contents: Fetched[] | undefined): void {
    const known = this.#known.get(source.key)
    if (known?.isBelieved && !contents) {
      this.#known.set(source.key, { ...known, record })
      return
    }
    const { clock, random } = this.#dependencies
    this.#known.set(source.key, { record, refreshAt: clock.elapsed() + refreshAfter(this.#plan.fullRefresh, random) })
    if (contents && source.history > 1) this.#contents.set(source.key, contents)
  }

  /** True if the vault no longer has the object and its files are to be removed. */
  #delete(source: Source): void {
    this.#forget(source.key)
    // The file of a match goes when the list no longer shows it.
    for (const index of source.objects) if (index < this.#plan.objects.length) this.pending.set(index, [])
  }

  #forget(key: string): void {
    this.#known.delete(key)
    this.#contents.delete(key)
  }

  #reselect(): void {
    this.sources = sourcesOf(this.#plan.objects, this.selection?.matches)
    this.#sourceOf = byObject(this.sources)
  }
}

const byObject = (sources: readonly Source[]): ReadonlyMap<number, Source> =>
  new Map(sources.flatMap((source) => source.objects.map((index) => [index, source])))
