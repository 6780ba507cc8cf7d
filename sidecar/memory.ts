import type { Settings } from '../shared/settings.ts'
import { sameRecord, type Known, type Listing } from './changed.ts'
import type { Before, Findings } from './read.ts'
import { reasonOf, type Rendered, type RenderedFile } from './render/rendered.ts'
import { refreshAfter } from './schedule.ts'
import { sourcesOf, type Source } from './sources.ts'
import type { FailureKind, Fetched, Outlook } from './vault/vault.ts'
import type { SourceRecord } from './volume/manifest.ts'
import type { StoredSet } from './volume/volume.ts'

/** Why an object, a template or a bundle is not as it should be. */
export interface Problem {
  kind: FailureKind | 'render' | 'volume'
  message: string
  /** Since when, milliseconds since 1970. */
  since: number
  outlook: Outlook
  /** Since when it has been permanent, on the clock that never goes back. */
  firmSince?: number
  /** Since when it has been doubtful or permanent, on the same clock. */
  doubtfulSince?: number
}

export interface MemoryEffects {
  now: () => number
  elapsed: () => number
  random: () => number
}

type Plan = Pick<Settings, 'objects' | 'onDelete' | 'fullRefresh'>

/**
 * What the sidecar knows between polls: per source what was read last, and per object the files that wait for being switched
 * in. Contents stay in memory only where histories need them again; files live in the volume.
 */
export class Memory implements Before {
  readonly sources: readonly Source[]
  /** Files made since the last switch, by object; empty for an object that is gone. */
  readonly fresh = new Map<number, readonly RenderedFile[]>()
  /** By the object's index. */
  readonly problems = new Map<number, Problem>()
  readonly #plan: Plan
  readonly #effects: MemoryEffects
  /** By the object's index. */
  readonly #sourceOf: ReadonlyMap<number, Source>
  readonly #known = new Map<Source, Known>()
  readonly #contents = new Map<Source, Fetched[]>()
  readonly #listings = new Map<string, Listing>()

  constructor(plan: Plan, effects: MemoryEffects) {
    this.sources = sourcesOf(plan.objects)
    this.#sourceOf = new Map(this.sources.flatMap((source) => source.objects.map((index) => [index, source])))
    this.#plan = plan
    this.#effects = effects
  }

  known = (source: Source): Known | undefined => this.#known.get(source)
  contents = (source: Source): Fetched[] | undefined => this.#contents.get(source)
  listing = (group: string): Listing => this.#listings.get(group) ?? {}
  isFailing = (source: Source): boolean => source.objects.some((index) => this.problems.has(index))

  /** Takes over what an earlier set in the volume says. */
  recall({ manifest }: StoredSet): void {
    for (const source of this.sources) {
      const record = manifest.sources[source.key]
      // As if read at any moment of the period, so that restarts of a fleet do not end in a common full refresh.
      const refreshAt = this.#effects.elapsed() + this.#plan.fullRefresh * this.#effects.random()
      if (record) this.#known.set(source, { record, refreshAt, isBelieved: true })
    }
  }

  /** Forgets what was read, so that everything is read again: the volume no longer has it. */
  forget(): void {
    this.#known.clear()
  }

  /**
   * Takes over what a poll found, and makes the files of what was read anew.
   * @returns sentences about contents that are probably not meant so
   */
  async learn(
    found: Findings,
    render: (index: number, versions: readonly Fetched[]) => Promise<Rendered>,
  ): Promise<string[]> {
    // prettier-ignore
    for (const [group, listing] of found.listings) this.#listings.set(group, listing)
    for (const source of found.unchanged) this.#recover(source)
    const warnings: string[] = []
    for (const [source, { record, contents }] of found.reads) {
      const known = this.#known.get(source)
      const isNew = known?.isBelieved === true || !sameRecord(record, known?.record)
      if (known?.isBelieved && !contents) this.#known.set(source, { ...known, record })
      else this.#remember(source, record, contents)
      if (isNew && contents) warnings.push(...(await this.#render(source, contents, render)))
      else this.#recover(source)
    }
    for (const [source, { kind, message, outlook }] of found.failures) {
      if (kind === 'gone' && this.#plan.onDelete === 'delete') this.#lose(source)
      for (const index of source.objects) this.#fail(index, { kind, message, outlook })
    }
    this.#trust(found)
    return warnings
  }

  /** The version that an object was last read in. */
  version(index: number): string | undefined {
    return this.record(index)?.version
  }

  /** What was read last of an object. */
  record(index: number): SourceRecord | undefined {
    const source = this.#sourceOf.get(index)
    return source && this.#known.get(source)?.record
  }

  /** Whether every source was read or tried once. */
  get isTried(): boolean {
    const tried = (source: Source) =>
      this.#known.has(source) || source.objects.every((index) => this.problems.has(index))
    return this.sources.every(tried)
  }

  /** All that waited is in the volume. */
  settle(): void {
    this.fresh.clear()
  }

  /** What goes into the manifest: an object whose content could not be made into files is read again after a restart. */
  records(): Record<string, SourceRecord> {
    const isSound = (source: Source) => source.objects.every((index) => this.problems.get(index)?.kind !== 'render')
    const sound = [...this.#known].filter(([source]) => isSound(source))
    return Object.fromEntries(sound.map(([source, { record }]) => [source.key, record]))
  }

  #remember(source: Source, record: SourceRecord, contents: Fetched[] | undefined): void {
    const refreshAt = this.#effects.elapsed() + refreshAfter(this.#plan.fullRefresh, this.#effects.random)
    this.#known.set(source, { record, refreshAt })
    if (contents && source.history > 1) this.#contents.set(source, contents)
  }

  async #render(
    source: Source,
    contents: readonly Fetched[],
    render: (index: number, versions: readonly Fetched[]) => Promise<Rendered>,
  ): Promise<string[]> {
    const warnings: string[] = []
    for (const index of source.objects) {
      try {
        const rendered = await render(index, contents)
        this.fresh.set(index, rendered.files)
        this.problems.delete(index)
        warnings.push(...rendered.warnings)
      } catch (error) {
        this.fresh.delete(index)
        this.#fail(index, { kind: 'render', message: reasonOf(error), outlook: 'permanent' })
      }
    }
    return warnings
  }

  /**
   * A vault that throttles or is overloaded is reached after all. A poll ends at such an answer, so what other objects met earlier
   * does not count any longer.
   */
  #trust({ failures }: Findings): void {
    const busy = Array.from(failures).filter(([, { outlook }]) => outlook === 'transient')
    const reached = new Set(busy.map(([{ vault }]) => vault))
    for (const source of this.sources.filter(({ vault }) => reached.has(vault))) {
      for (const index of source.objects) delete this.problems.get(index)?.doubtfulSince
    }
  }

  /** The vault says that it no longer exists. */
  #lose(source: Source): void {
    this.#known.delete(source)
    this.#contents.delete(source)
    for (const index of source.objects) this.fresh.set(index, [])
  }

  /** The vault gives it as it was read; whether that could be rendered is another matter. */
  #recover(source: Source): void {
    for (const index of source.objects) {
      if (this.problems.get(index)?.kind !== 'render') this.problems.delete(index)
    }
  }

  #fail(index: number, failure: Failure): void {
    this.problems.set(index, nextProblem(this.problems.get(index), failure, this.#effects))
  }
}

export type Failure = Pick<Problem, 'kind' | 'message' | 'outlook'>

/** A failure, in the light of the one before it. */
export function nextProblem(
  earlier: Problem | undefined,
  failure: Failure,
  { now, elapsed }: Pick<MemoryEffects, 'now' | 'elapsed'>,
): Problem {
  const problem = { ...failure, since: earlier?.since ?? now() }
  if (failure.outlook === 'transient') return problem
  const doubtfulSince = earlier?.doubtfulSince ?? elapsed()
  if (failure.outlook === 'doubtful') return { ...problem, doubtfulSince }
  return { ...problem, doubtfulSince, firmSince: earlier?.firmSince ?? elapsed() }
}
