/** A change that was switched in and that the app is told of. Kept in the volume until delivered. */
export interface Notification {
  /** Names the switch; a later one that replaces this before delivery has another. */
  id: string
  /** When the set was switched in, milliseconds since 1970. */
  switchedAt: number
  /** When it is due: `switchedAt` plus the splay's draw. */
  dueAt: number
  /** The objects that changed, never with a value. */
  changed: { type: string; name: string; version: string; paths: string[] }[]
}

/** What became of an attempt to tell the app. */
export type NotificationOutcome =
  | 'delivered'
  | 'no-such-process' // not there yet, or restarting
  | 'not-permitted' // another user's process
  | 'not-identifiable' // /proc does not tell which process is whose
  | 'http-error' // the notify URL did not answer 2xx in time
