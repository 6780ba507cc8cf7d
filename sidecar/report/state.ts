import type { Settings } from '../../shared/settings/codec.ts'
import type { Clock } from '../../shared/clock.ts'
import { composeStored, type Missing } from '../poll/compose.ts'
import type { NotifierStatus } from '../notify/notifier.ts'
import type { AppliedFacts, Coordination } from '../poll/coordination.ts'
import type { Turns } from '../poll/turns.ts'
import type { LiveValues } from '../live/annotations.ts'
import type { SourceCache } from '../../shared/detect/cache.ts'
import { volumeRoot, type Failures } from '../../shared/detect/failures.ts'
import type { MissingPart } from '../startup-deadline.ts'
import type { Source } from '../../shared/detect/sources.ts'

/** The state of one vault's polls. Times are in milliseconds since 1970 unless stated otherwise. */
export interface VaultState {
  /** Its name in messages. */
  name: string
  url: string
  /** At the moment, because finds may select more. */
  readonly sources: readonly Source[]
  lastPollAt?: number
  /** When it last answered about any object; absent if it has not since the start of the process. */
  lastAnswerAt?: number
  /** When a poll last succeeded. */
  lastSuccessAt?: number
  lastError?: { at: number; message: string }
  /** Whether a poll of it has ended, successfully or not. */
  isPolled: boolean
  /** Its poller's consecutive failures, and when the next poll is due on the monotonic clock. */
  schedule: { readonly failures: number; readonly dueAt: number }
}

/** The sidecar's state, from which status, metrics and the startup deadline are derived. */
export interface State {
  settings: Settings
  pod: { name: string; namespace: string }
  startedAt: { now: number; elapsed: number }
  /** The served set: since when it is served, and when it was switched in. */
  serving?: { since: number; switchedAt: number }
  /** The versions that the app started with, by the source's key; absent until a set is served, and if it is not known. */
  startVersions?: ReadonlyMap<string, string>
  /** Whether the set was found in the volume when the process started. */
  isRestored: boolean
  /** What the first set still lacks. */
  missing: Missing[]
  /** What something other than the sidecar changed in the volume, and when that was last found; some of the entries, and how many there are. */
  tampered?: { at: number; entries: readonly string[]; count: number }
  failures: Failures
  live: LiveValues
  cache: SourceCache
  vaults: VaultState[]
  /** Absent without a coordinator. */
  coordination?: Pick<Coordination, 'isConnected' | 'isTrusted' | 'isCovered'>
  /** Absent if the pod takes no turns. */
  turns?: Turns
}

/** The state of a process that has done nothing yet. */
export function initialState({
  clock,
  ...known
}: Pick<State, 'settings' | 'pod' | 'live' | 'failures' | 'cache'> & { clock: Pick<Clock, 'now' | 'elapsed'> }): State {
  const { missing } = composeStored(known.settings, undefined, known.cache.selection)
  const startedAt = { now: clock.now(), elapsed: clock.elapsed() }
  return { ...known, startedAt, isRestored: false, missing, vaults: [] }
}

/** What the sidecar has applied, for its coordination. */
export const appliedFacts = (
  { settings, cache, failures, serving, live, startVersions, turns }: State,
  notifier: NotifierStatus,
): AppliedFacts => ({
  ...{ settings, cache, failures, startVersions, notifier, served: turns?.served },
  isServing: serving !== undefined,
  isSuspended: live.suspend,
})

/** True if the served set is from a previous process and not every vault has answered since. */
export const isStale = ({ isRestored, serving, vaults }: State): boolean =>
  isRestored && serving !== undefined && vaults.some(({ lastAnswerAt }) => lastAnswerAt === undefined)

/** What the first set still lacks, each with the reason if it is known. */
export function whatIsMissing({ missing, failures }: Pick<State, 'missing' | 'failures'>): MissingPart[] {
  const parts = missing.map(({ what, key }) => ({ what, failure: failures.get(key) }))
  const failure = failures.get(volumeRoot)
  return failure ? [...parts, { what: 'the volume', failure }] : parts
}
