import type { Random } from '../clock.ts'
import type { Attributes } from '../vault/store.ts'
import { isFixed, type Source } from './sources.ts'
import type { SourceRecord } from './sources.ts'

/**
 * How much older than the answer that contains it a time of change must be: it is in whole seconds, so a second write may be
 * hidden by the first, and a replica may lag.
 */
export const conclusiveAfterMs = 5_000

/** The last read of a source, and when it is read again whatever the list says, on the monotonic clock. */
export interface Known {
  record: SourceRecord
  refreshAt: number
  /** True if it is known only from the volume's manifest, which another process of the sidecar's user can change. */
  isBelieved?: boolean
}

/** True if a source that a previous process left in the volume has to be read even if its versions are the same. */
export const isDoubted = ({ isBelieved = false, refreshAt }: Known, now: number): boolean =>
  isBelieved && refreshAt <= now

/** What is known about listing the objects of one type in one vault with one identity. */
export interface Listing {
  /** The number of requests that it took last time; absent before the first. */
  pages?: number
  /** When it may be tried again after it was forbidden or not worthwhile; on the monotonic clock. */
  avoidUntil?: number
  /** True if it is avoided because it was forbidden: then reads are not confirmed either. */
  refused?: boolean
}

/** How a poll reads its sources. */
export interface Reads {
  /** Groups to list, each with the sources that the list decides about. */
  lists: Map<string, Source[]>
  /** Sources to read, whatever a list would say. */
  gets: Source[]
}

/** The key of a source's group; one list answers for a whole group. */
export const groupOf = ({ vault, identity, type }: Pick<Source, 'vault' | 'identity' | 'type'>): string =>
  `${vault} ${identity} ${type}`

/**
 * Decides what a poll requests: nothing for sources that are fixed and known; the list for sources that a list can decide on,
 * if its pages are fewer than the reads that it saves; a read for each of the others.
 * @param searched groups that are listed in any case, for finds
 */
export function planReads(
  sources: readonly Source[],
  known: (source: Source) => Known | undefined,
  listing: (group: string) => Listing,
  now: number,
  searched: { has(group: string): boolean } = new Set<string>(),
): Reads {
  const reads: Reads = { lists: new Map(), gets: [] }
  const listable = new Map<string, Source[]>()
  for (const source of sources) {
    const one = known(source)
    if (one !== undefined && isFixed(source) && !isDoubted(one, now)) continue
    if (one === undefined || source.history > 1 || one.refreshAt <= now || !isConclusive(one.record)) {
      reads.gets.push(source)
    } else {
      const group = listable.get(groupOf(source)) ?? []
      listable.set(groupOf(source), [...group, source])
    }
  }
  for (const [group, members] of listable) {
    if (searched.has(group) || isWorthListing(listing(group), members.length, now)) reads.lists.set(group, members)
    else reads.gets.push(...members)
  }
  return reads
}

export const isWorthListing = ({ pages = 1, avoidUntil = 0 }: Listing, saves: number, now: number): boolean =>
  avoidUntil <= now && pages < saves

/** Returns the sources that a list does not show to be unchanged. */
export const changedIn = (
  items: ReadonlyMap<string, Attributes>,
  sources: readonly Source[],
  known: (source: Source) => Known | undefined,
): Source[] =>
  sources.filter((source) => {
    const record = known(source)?.record
    return record === undefined || !isUnchanged(record, items.get(source.name.toLowerCase()))
  })

/** True if a listed item shows that the source is unchanged: the same attributes, and old enough to be conclusive. */
export const isUnchanged = (record: SourceRecord, listed: Attributes | undefined): boolean =>
  listed !== undefined && isConclusive(record) && sameAttributes(record.attributes, listed)

/** True if equal attributes prove that this source is unchanged. */
export const isConclusive = ({ attributes: { updated }, answeredAt }: SourceRecord): boolean =>
  updated !== undefined && answeredAt !== undefined && updated * 1000 + conclusiveAfterMs < answeredAt

/** Compares for equality, not for age: recovering an object moves its times backwards. */
export const sameAttributes = (one: Attributes, other: Attributes): boolean =>
  one.updated === other.updated &&
  one.created === other.created &&
  one.enabled === other.enabled &&
  one.expires === other.expires &&
  one.notBefore === other.notBefore &&
  one.thumbprint === other.thumbprint

/** True if the same versions were read, with the same attributes. */
export const sameRecord = (one: SourceRecord, other: SourceRecord | undefined): boolean =>
  other !== undefined &&
  String(one.versions) === String(other.versions) &&
  sameAttributes(one.attributes, other.attributes)

/** The time until a source is read again in full, whatever lists say: up to a fifth shorter, so that the reads of a pod are spread. */
export const refreshAfter = (fullRefresh: number, random: Random): number => fullRefresh * (0.8 + 0.2 * random())
