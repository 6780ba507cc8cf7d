import type { Clock, Random } from '../shared/clock.ts'
import type { Selection } from '../shared/detect/selection.ts'
import type { Source } from '../shared/detect/sources.ts'
import type { Logger } from '../shared/log.ts'
import type { Renderer } from '../shared/render/renderer.ts'
import type { Vault } from '../shared/vault/store.ts'
import type { LiveTexts } from './live/annotations.ts'
import type { Notifier, NotifierOptions } from './notify/notifier.ts'
import type { Coordinate } from './poll/coordination.ts'
import type { CreateTurns } from './poll/turns.ts'
import type { Registry } from './report/metrics.ts'
import type { Explanation } from './termination-message.ts'
import type { Volume } from './volume/volume.ts'

/** A vault as the sidecar polls it. */
export interface NamedVault extends Vault {
  name: string
  beginPoll(): void
}

/** The effects that the sidecar depends on. */
export interface SidecarDependencies {
  /** A vault as an object's identity sees it. */
  vault: (object: Pick<Source, 'vault' | 'identity'>) => NamedVault
  render: Renderer
  volume: Pick<Volume, 'read' | 'switchTo' | 'notified' | 'markNotified' | 'clean'>
  notifier: (handlers: Pick<NotifierOptions, 'onDelivered' | 'onOutcome' | 'onPermission'>) => Notifier
  /** The current texts of the pod's live annotations. */
  liveTexts: () => LiveTexts
  pod: { name: string; namespace: string }
  /** Of the settings' finds; absent if there are none. */
  selection?: Selection | undefined
  /** Of the coordinator that the settings name; absent without one. */
  coordinate?: Coordinate | undefined
  /** For a pod that takes turns with its replicas; absent if a new set is switched in whenever there is one. */
  turns?: CreateTurns | undefined
  clock: Clock
  random: Random
  /** Between two checks of what no poll brings about, in milliseconds; a second unless a large fleet in virtual time saves time. */
  heartbeatMs?: number | undefined
  /** Stores the reason of a failed start for `kubectl describe pod`, in case the process ends before a set is served. */
  notStarted: (reason: Explanation) => void
  /** Called once, when a complete set is served: from then on, the end of the process is not a failure. */
  started: () => void
  log: Logger
  registry: Registry
}
