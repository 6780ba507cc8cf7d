import type { Clock, Random } from '../../shared/clock.ts'
import type { SourceCache } from '../../shared/detect/cache.ts'
import type { SelectionChange } from '../../shared/detect/selection.ts'
import type { Failures } from '../../shared/detect/failures.ts'
import type { ReadDependencies, ReadResult } from '../../shared/detect/read-vault.ts'
import type { Renderer } from '../../shared/render/renderer.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { Notification } from '../notify/notification.ts'
import type { Manifest } from '../volume/manifest.ts'
import type { Volume } from '../volume/volume.ts'
import type { Composed, Missing } from './compose.ts'
import type { TurnGate } from './turns.ts'

/** What a poll works with. */
export interface PollContext extends ReadDependencies {
  settings: Settings
  cache: SourceCache
  failures: Failures
  render: Renderer
  volume: Pick<Volume, 'read' | 'switchTo' | 'notified'>
  /** Notifies the app, in its own time. */
  notify: (notification: Notification) => void
  clock: Pick<Clock, 'now' | 'elapsed'>
  random: Random
  /**
   * When the volume is next compared with what was written, on the monotonic clock, and whether a difference has been found
   * that is yet to be restored.
   */
  volumeCheck: { dueAt: number; isRestoring: boolean }
  /** How long no ordinary poll of the vault may come, in milliseconds: what is due by then belongs to the poll before. 0 without coverage. */
  quietMs: (vault: string) => number
  /** Whether a complete set is in the volume and served. */
  isServing: () => boolean
  /** Runs one task at a time: vaults are polled concurrently, and there is one volume. */
  exclusively: <T>(task: () => Promise<T>) => Promise<T>
  /** Absent if a new set is switched in whenever there is one. */
  turns?: TurnGate
}

/** What a poll did to the volume. */
export interface VolumeUpdate {
  /** The set in the volume, if this poll looked at it and it is complete. */
  current?: Manifest
  /** What was switched in: the new set, and the paths in which it differs. */
  switched?: { set: Composed; paths: ReadonlySet<string> }
  /** The change that the app has to be notified of. */
  notification?: Notification
  /** What something other than the sidecar changed in the volume, when that is first found. */
  tampered?: readonly string[]
  /** What a first set still lacks. */
  missing: Missing[]
  /** Why the volume could not be read or written; the next poll tries the switch again. */
  volumeError?: NodeJS.ErrnoException
}

/** What a poll of one vault did. */
export interface PollResult extends VolumeUpdate {
  read: ReadResult
  /** What the finds of the vault select in addition, and no longer; absent if it has none. */
  selected?: SelectionChange
  /** Sentences about valid contents that are probably a mistake. */
  warnings: string[]
}
