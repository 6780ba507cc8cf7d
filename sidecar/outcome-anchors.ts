import { sidecarAnchor } from '../shared/names.ts'
import type { Failure } from '../shared/detect/failures.ts'
import type { NotificationOutcome } from './notify/notification.ts'
import type { PermissionReport } from './notify/signal/target-watch.ts'

/** Why the sidecar ends before it serves a set, apart from the failures of objects, templates, bundles and the volume. */
export type EndReason = 'no-answer' | 'settings' | 'cannot-start' | 'environment'

/** States of a sidecar that serves files, as `/status` shows them. */
export type ServingState = 'stale' | 'suspended' | 'tampered'

/** Everything that a termination message can be about, or that `/status` can report. */
export type SidecarOutcome =
  Failure['kind'] | EndReason | NotificationOutcome | PermissionReport['outcome'] | ServingState

/** The section of docs/troubleshooting.md about an outcome. */
export const anchorOf: (outcome: SidecarOutcome) => string = sidecarAnchor
