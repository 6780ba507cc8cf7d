import type { Halt, TurnEvent, TurnRequest, TurnState } from '../../shared/coordination/turns.ts'
import type { SourceCache } from '../../shared/detect/cache.ts'
import type { SourceRecord } from '../../shared/detect/sources.ts'
import type { NotifierStatus } from '../notify/notifier.ts'
import type { Manifest } from '../volume/manifest.ts'
import type { StoredSet } from '../volume/volume.ts'
import type { Composed } from './compose.ts'

/** A new set, and how it differs from the one that is served. */
export interface SetDifference {
  set: Composed
  previous: StoredSet
  paths: ReadonlySet<string>
}

/** What a set's manifest says of the turn in which it was switched in: one rename switches both, so a turn outlives its process. */
export type HeldTurn = Pick<TurnRequest, 'id' | 'versions' | 'objects' | 'take' | 'isRefresh'>

/** What decides when a new set is switched in. */
export interface TurnGate {
  /** Returns whether the set may be switched in now; if not, its turn is requested, and it waits. */
  ask: (difference: SetDifference, cache: Pick<SourceCache, 'objects' | 'version' | 'sources' | 'selection'>) => boolean
  /** To be called if no set waits: nothing differs. */
  withdraw: () => void
  /** The turn of the set that is being switched in; absent if it is switched in without one. */
  readonly held: HeldTurn | undefined
  /** To be called after every switch. @param isNotified whether the app is notified of it */
  switched: (isNotified: boolean) => void
}

/** For `/status` and metrics. */
export interface TurnStatus {
  state: 'none' | 'waiting' | 'taken' | 'switched' | 'failed' | 'halted'
  /** How many pods are before this one, if the coordinator said so. */
  place?: number
  reason?: string
  /** Since when, in milliseconds since 1970. */
  since?: number
  /** How long a set has waited, in milliseconds. */
  waitingMs: number
  halts: readonly Halt[]
}

/** A pod's part in turns: its replicas switch to a new set one after the other. */
export interface Turns extends TurnGate {
  /** To be called when the process begins to poll; before that, sets are switched in at once. */
  begin: () => Promise<void>
  /** To be called with the manifest of the set that an earlier process left, if it is served. */
  restored: (manifest: Manifest) => void
  /** To be called once a second. */
  check: () => void
  /** To be called when a person requested a poll. */
  refreshed: () => void
  /** What the coordinator gets to know. */
  state: () => TurnState
  take: (event: TurnEvent) => void
  /** Whether the coordinator waits for this pod, or this pod for the coordinator. */
  readonly isUrgent: boolean
  /** To be called when a session ends. */
  disconnected: () => void
  status: () => TurnStatus
  /** What is served, by the source's key, of sources that were read again for a set that waits. */
  readonly served: ReadonlyMap<string, SourceRecord | undefined>
}

/** The sidecar as its turns see it. */
export interface TurnHost {
  /** Tries the switch again. */
  retry: () => Promise<void>
  notifier: () => Pick<NotifierStatus, 'pending' | 'targets' | 'signaled' | 'latest'>
  /** Whether to look often for the app's process. */
  watchClosely: (isClose: boolean) => void
  isConnected: () => boolean
  isSuspended: () => boolean
  /** To be called when the state may have changed. */
  changed: () => void
}

/** Creates a pod's part in turns. */
export type CreateTurns = (host: TurnHost) => Turns
