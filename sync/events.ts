import type { Clock } from '../shared/clock.ts'
import type { Api } from '../shared/kubernetes/api.ts'
import { createEventSender } from '../shared/kubernetes/event-sender.ts'
import type { Logger } from '../shared/log.ts'
import { classKind, classVersion, program } from './names.ts'
import type { SyncMessage } from './reasons.ts'

/** The class that an Event is about. */
export interface EventSubject {
  namespace: string
  name: string
  uid: string
}

export interface SyncEvents {
  /** Sends an Event, unless the same one was sent within ten minutes. It never rejects. */
  tell(subject: EventSubject, message: SyncMessage): Promise<void>
  /** The number of Events that were left out because their namespace had too many. */
  dropped: () => number
}

/** Creates a sender of Events on classes. RBAC: create and patch on `events`. */
export function createSyncEvents({
  log,
  ...options
}: {
  api: Api
  /** The name of this pod. */
  instance: string
  log: Logger
  clock: Pick<Clock, 'now' | 'elapsed'>
}): SyncEvents {
  const { tell, dropped } = createEventSender({
    ...options,
    component: program,
    onFailed({ involvedObject: { namespace, name }, reason }, error) {
      log.warn({ event: 'event-failed', namespace, class: name, reason }, error.message)
    },
  })
  return {
    tell: (subject, { reason, message, isUnlinked, secret = '', at }) =>
      tell({
        ...{ reason, message },
        involvedObject: { apiVersion: classVersion, kind: classKind, ...subject },
        type: reason === 'Synced' ? 'Normal' : 'Warning',
        identity: [secret, at ?? message],
        ...(at !== undefined && { at }),
        ...(isUnlinked && { isUnlinked }),
      }),
    dropped,
  }
}
