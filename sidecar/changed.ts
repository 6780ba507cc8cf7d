import type { Attributes } from './vault/vault.ts'
import { isFixed, type Source } from './sources.ts'
import type { SourceRecord } from './volume/manifest.ts'

/**
 * How much older than the answer that brought it a time of change must be: it is in whole seconds, so a second write may hide
 * behind the first, and a replica may lag.
 */
export const settledAfter = 5_000

/** What was read of a source, and when it is read again whatever the list says (on the clock that never goes back). */
export interface Known {
  record: SourceRecord
  refreshAt: number
  /** Whether only the volume's manifest says so, which another process of the sidecar's user can change. */
  isBelieved?: boolean
}

/** Whether what an earlier process left in the volume is to be read, even if its versions are the same. */
export const isDoubted = ({ isBelieved = false, refreshAt }: Known, now: number): boolean =>
  isBelieved && refreshAt <= now

/** What is remembered of listing the objects of one type in one vault with one identity. */
export interface Listing {
  /** How many requests it took last time; unknown before the first. */
  pages?: number
  /** Until then it is not tried, because it was refused or did not pay. */
  avoidUntil?: number
  /** Why it is avoided: a refusal leaves out the confirmation too. */
  refused?: boolean
}

/** How a poll looks at its sources. */
export interface Reads {
  /** Groups to be listed, each with the sources that the answer decides on. */
  lists: Map<string, Source[]>
  /** Sources that are read, whatever a list would say. */
  gets: Source[]
}

/** Sources of one group are answered by one list. */
export const groupOf = ({ vault, identity, type }: Source): string => `${vault} ${identity} ${type}`

/**
 * Decides what a poll asks: sources that are fixed and known, nothing; sources that a list can decide on, the list where its
 * pages are fewer than the reads it saves; all others a read each.
 */
export function planReads(
  sources: readonly Source[],
  known: (source: Source) => Known | undefined,
  listing: (group: string) => Listing,
  now: number,
): Reads {
  const reads: Reads = { lists: new Map(), gets: [] }
  const listable = new Map<string, Source[]>()
  for (const source of sources) {
    const one = known(source)
    if (one !== undefined && isFixed(source) && !isDoubted(one, now)) continue
    if (one === undefined || source.history > 1 || one.refreshAt <= now || !isSettled(one.record)) {
      reads.gets.push(source)
    } else {
      const group = listable.get(groupOf(source)) ?? []
      listable.set(groupOf(source), [...group, source])
    }
  }
  for (const [group, members] of listable) {
    if (isWorthListing(listing(group), members.length, now)) reads.lists.set(group, members)
    else reads.gets.push(...members)
  }
  return reads
}

export const isWorthListing = ({ pages = 1, avoidUntil = 0 }: Listing, saves: number, now: number): boolean =>
  avoidUntil <= now && pages < saves

/** Of the sources that a list answers for, those that it does not show to be as they were read last. */
export const changedIn = (
  items: ReadonlyMap<string, Attributes>,
  sources: readonly Source[],
  known: (source: Source) => Known | undefined,
): Source[] =>
  sources.filter((source) => {
    const record = known(source)?.record
    return record === undefined || !isUnchanged(record, items.get(source.name.toLowerCase()))
  })

/** Whether a listed item shows that the source is as it was read: the same attributes, old enough to tell. */
export const isUnchanged = (record: SourceRecord, listed: Attributes | undefined): boolean =>
  listed !== undefined && isSettled(record) && sameAttributes(record.attributes, listed)

/** Whether equal attributes prove anything about this source. */
export const isSettled = ({ attributes: { updated }, answeredAt }: SourceRecord): boolean =>
  updated !== undefined && answeredAt !== undefined && updated * 1000 + settledAfter < answeredAt

/** Difference counts, not being newer: a recovery moves the times backwards. */
export const sameAttributes = (one: Attributes, other: Attributes): boolean =>
  one.updated === other.updated &&
  one.created === other.created &&
  one.enabled === other.enabled &&
  one.expires === other.expires &&
  one.notBefore === other.notBefore &&
  one.thumbprint === other.thumbprint

/** Whether the same versions were read, with the same attributes. */
export const sameRecord = (one: SourceRecord, other: SourceRecord | undefined): boolean =>
  other !== undefined &&
  String(one.versions) === String(other.versions) &&
  sameAttributes(one.attributes, other.attributes)
