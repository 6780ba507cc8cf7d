import { isConclusive } from '../../shared/detect/read-plan.ts'
import type { ReadResult } from '../../shared/detect/read-vault.ts'
import type { FoundList } from '../../shared/detect/selection.ts'
import { isFixed, type Source } from '../../shared/detect/sources.ts'
import { everyObject, objectKey, watchedObject, type WatchedObject } from '../../shared/coordination/source.ts'
import type { CoordinationHost } from '../poll/coordination.ts'

/** What a vault's coverage depends on: a source, or the list that finds need. */
export interface Watchable {
  /** The vault's URL as the settings spell it. */
  vault: string
  object: WatchedObject
  /** Identifies {@link object}. */
  key: string
  /** Absent for a list. */
  source?: Source
  /** Whether nothing that happens in the vault can change what was read. */
  isFixed: boolean
  /** Whether it could not be read or rendered, or, of a list, taken over. */
  isFailing: boolean
  /** What was read last; absent if that failed. */
  known?: { version: string; created?: number; isConclusive: boolean }
  /** Whether a poll found out what the vault has of it. */
  isSeen: (read: ReadResult) => boolean
  /** Whether a poll read it: {@link known} is what the vault answered. */
  isRead: (read: ReadResult) => boolean
}

type Host = Pick<CoordinationHost, 'sources' | 'record' | 'isFailing' | 'foundLists'>

/** What the coverage of a vault depends on, or that of all vaults; lists come first. */
export function watchables(host: Host, vault?: string): Watchable[] {
  const isOwn = (one: { vault: string }): boolean => vault === undefined || one.vault === vault
  const lists = host.foundLists().filter(isOwn)
  const sources = host.sources().filter(isOwn)
  return [...lists.map(watchableList), ...sources.map((source) => watchableSource(source, host))]
}

/** Whether a coordinator may watch it: of an object with history, older versions may change. */
export const mayBeWatched = ({ source, isFixed }: Watchable): boolean =>
  source === undefined || (!isFixed && source.history === 1)

/** Sources stay, and all of them are looked at several times for each poll and once a second. */
const names = new WeakMap<Source, { object: WatchedObject; key: string }>()

function nameOf(source: Source): { object: WatchedObject; key: string } {
  const known = names.get(source)
  if (known) return known
  const object = watchedObject(source)
  const name = { object, key: objectKey(object) }
  names.set(source, name)
  return name
}

function watchableSource(source: Source, host: Host): Watchable {
  const isFailing = host.isFailing(source)
  const record = isFailing ? undefined : host.record(source)
  const created = record?.attributes.created
  return {
    ...{ vault: source.vault, ...nameOf(source), source, isFixed: isFixed(source), isFailing },
    ...(record && {
      known: { version: record.version, isConclusive: isConclusive(record), ...(created !== undefined && { created }) },
    }),
    isSeen: ({ reads, unchanged }) => reads.has(source) || unchanged.includes(source),
    isRead: ({ reads }) => reads.has(source),
  }
}

function watchableList({ vault, type, digest, finds }: FoundList): Watchable {
  const isListed = ({ search }: ReadResult): boolean =>
    search !== undefined && finds.every((find) => search.listed.has(find))
  const object = watchedObject({ vault, type, name: everyObject })
  return {
    ...{ vault, object, key: objectKey(object), isFixed: false, isFailing: digest === undefined },
    ...(digest !== undefined && { known: { version: digest, isConclusive: true } }),
    ...{ isSeen: isListed, isRead: isListed },
  }
}
