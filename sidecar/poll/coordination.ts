import type { SourceCache } from '../../shared/detect/cache.ts'
import type { Failures } from '../../shared/detect/failures.ts'
import type { ReadResult } from '../../shared/detect/read-vault.ts'
import type { FoundList } from '../../shared/detect/selection.ts'
import type { Source, SourceRecord } from '../../shared/detect/sources.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { NotifierStatus } from '../notify/notifier.ts'
import type { Poller } from './poller.ts'
import type { Turns } from './turns.ts'

/** What a coordinator means for polls: a sidecar that is told of changes need not look for them. */
export interface Coordination {
  /** True if the coordinator would announce every change in the vault that concerns the pod. */
  isCovered: (vault: string) => boolean
  /**
   * The sources of a vault that changed according to the coordinator, and that were not read since; undefined if a list that finds
   * need changed, so that the vault is to be polled as a whole.
   */
  hinted: (vault: string) => readonly Source[] | undefined
  /**
   * To be called when a poll begins; the returned function is to be called with what it read, and whether it read hinted
   * sources only.
   */
  pollBegan: (vault: string) => (read: ReadResult | undefined, isHinted: boolean) => void
  /** To be called once a second. */
  check: () => void
  /** To be called when the pod's part in turns may have changed. */
  turnChanged: () => void
  /** To be called when the process ends on purpose. */
  leave: () => void
  /** Whether there is a session. */
  readonly isConnected: boolean
  /** False if the coordinator's certificate is not trusted, so that there is no session. */
  readonly isTrusted: boolean
  /** Holds sessions, one after the other, until the signal aborts. */
  run: (abort: AbortSignal) => Promise<void>
}

/** What a sidecar has read, switched in and told the app. */
export interface AppliedFacts {
  settings: Pick<Settings, 'notify' | 'variables' | 'coordinator'>
  cache: Pick<SourceCache, 'sources' | 'record' | 'object'>
  failures: Pick<Failures, 'get'>
  isServing: boolean
  isSuspended: boolean
  /** The versions that the app started with, by the source's key; absent until a set is served, and if they are not known. */
  startVersions: ReadonlyMap<string, string> | undefined
  /** What is served, by the source's key, of sources that were read again for a set that waits for its turn. */
  served: ReadonlyMap<string, SourceRecord | undefined> | undefined
  notifier: Pick<NotifierStatus, 'pending' | 'channels' | 'permission'>
}

/** The sidecar as its coordination sees it. */
export interface CoordinationHost {
  sources: () => readonly Source[]
  record: (source: Source) => SourceRecord | undefined
  /** Whether the source could not be read or rendered. */
  isFailing: (source: Source) => boolean
  /** The lists that the pod's finds need. */
  foundLists: () => readonly FoundList[]
  /** Without coverage, in milliseconds. */
  pollInterval: () => number
  /** What the sidecar has applied; during a poll of a vault, something in between. */
  applied: () => AppliedFacts
  /** Absent if the pod takes no turns. */
  turns?: Pick<Turns, 'state' | 'take' | 'isUrgent' | 'disconnected'> | undefined
  /** Requests a poll of the hinted sources after a number of milliseconds. */
  hint: (vault: string, delayMs: number) => void
  /**
   * Requests an ordinary poll at a random moment of one poll interval, because the vault is not covered any more.
   * @param isSpaced true if it is also to come no earlier than one interval after the last poll
   */
  uncovered: (vault: string, isSpaced: boolean) => void
}

/** Returns what a coordination needs of the sidecar; of sources, `cache` knows everything. */
export const createHost = (
  cache: SourceCache,
  pollers: ReadonlyMap<string, Pick<Poller, 'hint' | 'uncovered'>>,
  own: Pick<CoordinationHost, 'pollInterval' | 'applied' | 'turns'>,
): CoordinationHost => ({
  sources: () => cache.sources,
  record: ({ objects: [index = -1] }) => cache.record(index),
  isFailing: cache.isFailing,
  foundLists: () => cache.foundLists(),
  ...own,
  hint: (vault, delayMs) => pollers.get(vault)?.hint(delayMs),
  uncovered: (vault, isSpaced) => pollers.get(vault)?.uncovered(isSpaced),
})

/** The longest interval of polls while a coordinator announces changes, in milliseconds: alerts expect an answer by then. */
const longestCoveredMs = 3_600_000

/** The interval of a vault's polls while it is covered, in milliseconds; undefined if it is not. */
export const coveredInterval = (
  coordination: Coordination | undefined,
  vault: string,
  fullRefresh: number,
): number | undefined => (coordination?.isCovered(vault) ? Math.min(fullRefresh, longestCoveredMs) : undefined)

/** Creates a sidecar's coordination. */
export type Coordinate = (host: CoordinationHost) => Coordination
