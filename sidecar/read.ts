import {
  changedIn,
  groupOf,
  isDoubted,
  isWorthListing,
  planReads,
  sameRecord,
  type Known,
  type Listing,
} from './changed.ts'
import { fetchSource, type Read } from './fetch.ts'
import { eachAtMost } from './pool.ts'
import { isFixed, type Source } from './sources.ts'
import { VaultFailure, type Attributes, type Fetched, type Vault } from './vault/vault.ts'

/** What is known before a poll. */
export interface Before {
  known: (source: Source) => Known | undefined
  contents: (source: Source) => Fetched[] | undefined
  listing: (group: string) => Listing
  /** Whether reading it failed last time. */
  isFailing: (source: Source) => boolean
}

/** How vaults are asked. */
export interface Asking {
  vault: (source: Pick<Source, 'vault' | 'identity'>) => Vault
  /** Ends every question; each has a deadline of its own in any case. */
  signal: AbortSignal
  now: () => number
  elapsed: () => number
}

/** What a poll of one vault found out. */
export interface Findings {
  reads: Map<Source, Read>
  failures: Map<Source, VaultFailure>
  /** Sources that a list shows to be as they were read. */
  unchanged: Source[]
  /** Lists that failed; the sources they answer for keep what they have. */
  listFailures: VaultFailure[]
  listings: Map<string, Listing>
  /** False where the vault kept changing, or failed to confirm: what was read may never have existed at one moment. */
  settled: boolean
}

/** Requests to one vault at a time. */
const concurrency = 4
/** For how long a list that was refused or did not pay is not tried again. */
export const avoidListing = 60 * 60_000
const confirmations = 3
/** After these it is no use to ask the vault for anything else now. */
const hopeless: ReadonlySet<string> = new Set(['throttled', 'sign-in', 'sign-in-unavailable', 'unauthorized'])

/** After these a list is no help: the objects are read one by one. */
const misleading: ReadonlySet<string> = new Set(['malformed', 'bad-request', 'not-found'])
const endless: ReadonlySet<string> = new Set(['TooManyPages', 'NextLinkRefused'])

/** Finds out what changed among a vault's sources and reads that: list, compare, read, confirm. */
export async function readVault(sources: readonly Source[], before: Before, asking: Asking): Promise<Findings> {
  const poll = new Poll(sources, before, asking)
  const plan = planReads(sources, before.known, before.listing, asking.elapsed())
  const changed = await Promise.all(Array.from(plan.lists, ([group, members]) => poll.changedIn(group, members)))
  await poll.read([...plan.gets, ...changed.flat()])
  for (const [group, members] of plan.lists) poll.judgeList(group, members)
  if (sources.length > 1 && sources.some((source) => poll.changed(source))) await poll.confirm()
  return poll.found
}

class Poll {
  readonly found: Findings = {
    reads: new Map(),
    failures: new Map(),
    unchanged: [],
    listFailures: [],
    listings: new Map(),
    settled: true,
  }
  readonly #sources: readonly Source[]
  readonly #before: Before
  readonly #asking: Asking
  /** The vault is to be asked nothing more in this poll. */
  #isStopped = false

  constructor(sources: readonly Source[], before: Before, asking: Asking) {
    this.#sources = sources
    this.#before = before
    this.#asking = asking
  }

  /** Lists a group; returns the members that must be read: those that differ, or all where the list is of no use. */
  async changedIn(group: string, members: Source[]): Promise<Source[]> {
    const items = await this.#list(group, members)
    if (items === 'failed') return []
    if (items === 'useless') return members
    const changed = changedIn(items, members, this.#known)
    this.found.unchanged.push(...members.filter((member) => !changed.includes(member)))
    return changed
  }

  /**
   * Reads sources, one at first: where the vault does not answer that, it is asked for nothing else now. What failed last time
   * comes last, so that one object in trouble does not keep the others from being read.
   */
  async read(sources: readonly Source[]): Promise<void> {
    if (this.#isStopped) return
    const [first, ...others] = sources.toSorted((one, other) => this.#trouble(one) - this.#trouble(other))
    if (first === undefined || (await this.#readOrStop(first)) === 'stop') return
    await eachAtMost(concurrency, others, this.#readOrStop)
  }

  /** Whether a source was read, and is not as it was before the poll. */
  changed(source: Source): boolean {
    return this.#differs(source, this.#before.known(source))
  }

  /** A list that showed every member as changed when none was (a server that lists other attributes) is not worth asking. */
  judgeList(group: string, members: Source[]): void {
    const misled = members.every((source) => this.found.reads.has(source) && !this.changed(source))
    if (misled) this.#avoid(group, { refused: false })
  }

  /** Looks again until nothing moved, so that values that were changed together are switched in together. */
  async confirm(): Promise<void> {
    for (let round = 0; round < confirmations && !this.#isStopped; round++) {
      const doubtful = (await Promise.all(Array.from(this.#groups(), this.#doubtful))).flat()
      const seen = new Map(doubtful.map((source) => [source, this.#known(source)]))
      await this.read(doubtful)
      if (doubtful.some((source) => this.found.failures.has(source))) this.found.settled = false
      if (!doubtful.some((source) => this.#differs(source, seen.get(source)))) return
    }
    this.found.settled = false
  }

  /** What was read of sources that the vault can change, by group. */
  #groups(): Map<string, Source[]> {
    return Map.groupBy(
      this.#sources.filter((source) => !isFixed(source) && this.#known(source) !== undefined),
      groupOf,
    )
  }

  /** Those of a group that may have moved: what a list does not show to be as it was read. None where lists are refused. */
  #doubtful = async ([group, members]: [string, Source[]]): Promise<Source[]> => {
    const listing = this.#listing(group)
    if (listing.refused && (listing.avoidUntil ?? 0) > this.#asking.elapsed()) return []
    if (!isWorthListing(listing, members.length + 1, this.#asking.elapsed())) return members
    const items = await this.#list(group, members)
    if (items === 'failed') this.found.settled = false
    if (typeof items === 'string') return []
    const differing = new Set(changedIn(items, members, this.#known))
    return members.filter((member) => member.history > 1 || differing.has(member))
  }

  #readOrStop = async (source: Source): Promise<'stop' | undefined> => {
    const failure = await this.#read(source)
    if (failure === undefined) return undefined
    const isAlive = this.found.reads.size + this.found.unchanged.length > 0
    this.#isStopped ||= hopeless.has(failure.kind) || (failure.transient && !isAlive)
    return this.#isStopped ? 'stop' : undefined
  }

  #trouble(source: Source): number {
    return Number(this.#before.isFailing(source))
  }

  async #list(group: string, [member]: Source[]): Promise<ReadonlyMap<string, Attributes> | 'useless' | 'failed'> {
    if (member === undefined) return 'useless'
    try {
      const { items, pages } = await this.#asking.vault(member).list(member.type, this.#asking.signal)
      this.found.listings.set(group, { pages })
      return items
    } catch (error) {
      const failure = failureOf(error)
      if (failure.kind === 'forbidden') this.#avoid(group, { refused: true })
      else if (misleading.has(failure.kind) || endless.has(failure.code ?? '')) this.#avoid(group, { refused: false })
      else {
        this.found.listFailures.push(failure)
        this.#isStopped ||= failure.kind === 'throttled'
        return 'failed'
      }
      return 'useless'
    }
  }

  async #read(source: Source): Promise<VaultFailure | undefined> {
    const known = this.#known(source)
    const contents = this.found.reads.get(source)?.contents ?? this.#before.contents(source)
    const isKnown = known && !isDoubted(known, this.#asking.elapsed())
    const before = { ...(isKnown && { record: known.record }), ...(contents && { contents }) }
    try {
      const vault = this.#asking.vault(source)
      this.found.reads.set(source, await fetchSource(vault, source, before, this.#asking))
      this.found.failures.delete(source)
      return undefined
    } catch (error) {
      const failure = failureOf(error)
      this.found.failures.set(source, failure)
      return failure
    }
  }

  #avoid(group: string, { refused }: { refused: boolean }): void {
    this.found.listings.set(group, { refused, avoidUntil: this.#asking.elapsed() + avoidListing })
  }

  #known = (source: Source): Known | undefined => {
    const read = this.found.reads.get(source)
    return read ? { record: read.record, refreshAt: Infinity } : this.#before.known(source)
  }

  #differs(source: Source, earlier: Known | undefined): boolean {
    const read = this.found.reads.get(source)
    return read !== undefined && !sameRecord(read.record, earlier?.record)
  }

  #listing(group: string): Listing {
    return this.found.listings.get(group) ?? this.#before.listing(group)
  }
}

/** A failure that is not the vault's is a defect of ours: it ends nothing, and its message is not trusted. */
const failureOf = (error: unknown): VaultFailure =>
  error instanceof VaultFailure
    ? error
    : new VaultFailure('malformed', `an unexpected ${(error as Error).name} while reading the vault`, { cause: error })
