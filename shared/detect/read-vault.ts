import {
  changedIn,
  groupOf,
  isDoubted,
  isWorthListing,
  planReads,
  sameRecord,
  type Known,
  type Listing,
} from './read-plan.ts'
import { fetchSource, type Read } from './read-source.ts'
import { eachAtMost } from '../concurrency.ts'
import type { Clock } from '../clock.ts'
import { isFixed, type Source } from './sources.ts'
import { listGroup, vaultFailure, type GroupList } from './list-group.ts'
import type { Search } from './selection.ts'
import type { Fetched, Vault, VaultFailure } from '../vault/store.ts'

/** What is known about sources before a poll. */
export interface KnownSources {
  known: (source: Source) => Known | undefined
  contents: (source: Source) => Fetched[] | undefined
  listing: (group: string) => Listing
  /** Whether the last attempt to read it failed. */
  isFailing: (source: Source) => boolean
}

export interface ReadDependencies {
  vault: (source: Pick<Source, 'vault' | 'identity'>) => Vault
  /** Ends every request; each has a deadline of its own in any case. */
  abort: AbortSignal
  clock: Pick<Clock, 'now' | 'elapsed'>
}

/** The result of polling one vault. */
export interface ReadResult {
  reads: Map<Source, Read>
  failures: Map<Source, VaultFailure>
  /** Sources that nothing is known of and that were not requested either, each with the failure that made requests pointless. */
  unread: Map<Source, VaultFailure>
  /** Sources that a list shows to be unchanged. */
  unchanged: Source[]
  /** Failed lists; their sources keep what they have. */
  listFailures: VaultFailure[]
  listings: Map<string, Listing>
  /** False if the vault kept changing or failed to confirm: the values may never have existed at the same moment. */
  consistent: boolean
  /** What the finds of the vault found; absent if it has none. */
  search?: Search
}

/** Concurrent requests to one vault. */
const concurrency = 4
/** How long a list that was forbidden or not worthwhile is not retried. */
export const avoidListingMs = 60 * 60_000
const confirmations = 3
/** After these failures, further requests with the same identity are pointless for now. */
const ofIdentity: ReadonlySet<string> = new Set(['sign-in', 'sign-in-unavailable', 'unauthorized'])

/**
 * Finds out which sources of a vault changed and reads them: list, compare, read, confirm.
 * @param search what finds found in this poll: their lists are not requested again
 */
export async function readVault(
  sources: readonly Source[],
  previous: KnownSources,
  dependencies: ReadDependencies,
  search?: Search,
): Promise<ReadResult> {
  const lists = search?.lists ?? new Map<string, GroupList>()
  const reader = new VaultReader(sources, previous, dependencies, lists)
  if (search) reader.result.search = search
  const plan = planReads(sources, previous.known, previous.listing, dependencies.clock.elapsed(), lists)
  const changed = await Promise.all(Array.from(plan.lists, ([group, members]) => reader.changedIn(group, members)))
  await reader.read([...plan.gets, ...changed.flat()])
  for (const [group, members] of plan.lists) reader.judgeList(group, members)
  // Another list for what finds found would cost as many pages again.
  const named = sources.filter(({ isFound }) => !isFound)
  if (named.length > 1 && named.some((source) => reader.isChanged(source))) await reader.confirm()
  reader.noteUnread()
  return reader.result
}

class VaultReader {
  readonly result: ReadResult = {
    reads: new Map(),
    failures: new Map(),
    unread: new Map(),
    unchanged: [],
    listFailures: [],
    listings: new Map(),
    consistent: true,
  }
  readonly #sources: readonly Source[]
  readonly #previous: KnownSources
  readonly #dependencies: ReadDependencies
  /** Lists that finds requested. */
  readonly #lists: ReadonlyMap<string, GroupList>
  /** Why this poll sends no further requests to the vault. */
  #stop: VaultFailure | undefined
  /** Why it sends none with an identity. */
  readonly #refused = new Map<number, VaultFailure>()

  constructor(
    sources: readonly Source[],
    previous: KnownSources,
    dependencies: ReadDependencies,
    lists: ReadonlyMap<string, GroupList>,
  ) {
    this.#sources = sources
    this.#previous = previous
    this.#dependencies = dependencies
    this.#lists = lists
    for (const [group, list] of lists) this.#note(group, list)
  }

  /** Lists a group; returns the members to read: those that differ, or all if the list is of no use. */
  async changedIn(group: string, members: Source[]): Promise<Source[]> {
    const list = this.#lists.get(group) ?? (await this.#list(group, members))
    if (!('items' in list)) return list.outcome === 'failed' ? [] : members
    const changed = changedIn(list.items, members, this.#known)
    this.result.unchanged.push(...members.filter((member) => !changed.includes(member)))
    return changed
  }

  /**
   * Reads sources, one at first: if the vault does not answer that, no other is requested now. Sources that failed last time
   * come last, so that one failing object does not prevent the others from being read.
   */
  async read(sources: readonly Source[]): Promise<void> {
    const queue = sources.toSorted((one, other) => this.#trouble(one) - this.#trouble(other))
    for (let first = queue.shift(); first !== undefined; first = queue.shift()) {
      await this.#readUnlessStopped(first)
      // An identity that is refused says nothing about the vault.
      if (!this.#refused.has(first.identity)) break
    }
    await eachAtMost(concurrency, queue, this.#readUnlessStopped)
  }

  /** To be called last: takes over why sources that nothing is known of were not requested. */
  noteUnread(): void {
    for (const source of this.#sources) {
      const failure = this.#stopOf(source)
      const isUnread = this.#known(source) === undefined && !this.result.failures.has(source)
      if (failure && isUnread) this.result.unread.set(source, failure)
    }
  }

  /** True if a source was read and differs from before the poll. */
  isChanged(source: Source): boolean {
    return this.#differs(source, this.#previous.known(source))
  }

  /**
   * A list that shows every member as changed although none did (a server that lists other attributes) is not worth
   * requesting.
   */
  judgeList(group: string, members: Source[]): void {
    if (this.#lists.has(group)) return
    const misled = members.every((source) => this.result.reads.has(source) && !this.isChanged(source))
    if (misled) this.#avoid(group, { refused: false })
  }

  /** Repeats the check until nothing changes, so that values that were changed together are switched together. */
  async confirm(): Promise<void> {
    for (let round = 0; round < confirmations && !this.#stop; round++) {
      const doubtful = (await Promise.all(Array.from(this.#groups(), this.#doubtful))).flat()
      const seen = new Map(doubtful.map((source) => [source, this.#known(source)]))
      await this.read(doubtful)
      if (doubtful.some((source) => this.result.failures.has(source))) this.result.consistent = false
      if (!doubtful.some((source) => this.#differs(source, seen.get(source)))) return
    }
    this.result.consistent = false
  }

  /** The known sources that can change in the vault, by group. */
  #groups(): Map<string, Source[]> {
    return Map.groupBy(
      this.#sources.filter((source) => !source.isFound && !isFixed(source) && this.#known(source) !== undefined),
      groupOf,
    )
  }

  /** The sources of a group that a list does not show to be unchanged; none if lists are forbidden. */
  #doubtful = async ([group, members]: [string, Source[]]): Promise<Source[]> => {
    if (members.some(({ identity }) => this.#refused.has(identity))) {
      this.result.consistent = false
      return []
    }
    const listing = this.#listing(group)
    if (listing.refused && (listing.avoidUntil ?? 0) > this.#dependencies.clock.elapsed()) return []
    if (!isWorthListing(listing, members.length + 1, this.#dependencies.clock.elapsed())) return members
    const list = await this.#list(group, members)
    if (!('items' in list)) {
      if (list.outcome === 'failed') this.result.consistent = false
      return []
    }
    const differing = new Set(changedIn(list.items, members, this.#known))
    return members.filter((member) => member.history > 1 || differing.has(member))
  }

  #readUnlessStopped = async (source: Source): Promise<undefined> => {
    if (this.#stopOf(source)) return
    const failure = await this.#read(source)
    if (!failure) return
    const isAlive = this.result.reads.size + this.result.unchanged.length > 0 || failure.kind === 'pending'
    if (ofIdentity.has(failure.kind)) this.#refused.set(source.identity, failure)
    else if (failure.kind === 'throttled' || (failure.transient && !isAlive)) this.#stop ??= failure
  }

  /** Why this poll does not request a source any more. */
  #stopOf({ identity }: Source): VaultFailure | undefined {
    return this.#stop ?? this.#refused.get(identity)
  }

  #trouble(source: Source): number {
    return Number(this.#previous.isFailing(source))
  }

  async #list(group: string, [member]: Source[]): Promise<GroupList> {
    if (member === undefined) throw new TypeError('a group without members is not listed')
    const list = await listGroup(this.#dependencies.vault(member), member.type, this.#dependencies.abort)
    this.#note(group, list)
    return list
  }

  #note(group: string, list: GroupList): void {
    if ('items' in list) this.result.listings.set(group, { pages: list.pages })
    else if (list.outcome === 'failed') {
      this.result.listFailures.push(list.failure)
      if (list.failure.kind === 'throttled') this.#stop ??= list.failure
    } else this.#avoid(group, { refused: list.outcome === 'refused' })
  }

  async #read(source: Source): Promise<VaultFailure | undefined> {
    const known = this.#known(source)
    const contents = this.result.reads.get(source)?.contents ?? this.#previous.contents(source)
    const isKnown = known && !isDoubted(known, this.#dependencies.clock.elapsed())
    const previous = { ...(isKnown && { record: known.record }), ...(contents && { contents }) }
    try {
      const vault = this.#dependencies.vault(source)
      this.result.reads.set(source, await fetchSource(vault, source, previous, this.#dependencies))
      this.result.failures.delete(source)
      return undefined
    } catch (error) {
      const failure = vaultFailure(error)
      this.result.failures.set(source, failure)
      return failure
    }
  }

  #avoid(group: string, { refused }: { refused: boolean }): void {
    this.result.listings.set(group, { refused, avoidUntil: this.#dependencies.clock.elapsed() + avoidListingMs })
  }

  #known = (source: Source): Known | undefined => {
    const read = this.result.reads.get(source)
    return read ? { record: read.record, refreshAt: Infinity } : this.#previous.known(source)
  }

  #differs(source: Source, earlier: Known | undefined): boolean {
    const read = this.result.reads.get(source)
    return read !== undefined && !sameRecord(read.record, earlier?.record)
  }

  #listing(group: string): Listing {
    return this.result.listings.get(group) ?? this.#previous.listing(group)
  }
}
