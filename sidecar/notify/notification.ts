/** An object that changed, never with a value. */
export interface ChangedObject {
  type: string
  name: string
  version: string
  /** The files it went into, relative to the mount. */
  paths: string[]
}

/** A change that was switched in and that the app is told of. Kept in the volume until delivered. */
export interface Notification {
  /** Names the switch; a later one that replaces this before delivery has another. */
  id: string
  /** When the set was switched in, milliseconds since 1970. */
  switchedAt: number
  /** When it is due: `switchedAt` plus the splay's draw. */
  dueAt: number
  changed: ChangedObject[]
}

/** What became of an attempt to tell the app. */
export type NotificationOutcome =
  | 'delivered'
  | 'no-such-process' // not there yet, or restarting
  | 'not-permitted' // another user's process
  | 'not-identifiable' // /proc does not tell which process is whose
  | 'http-error' // the notify URL did not answer 2xx in time

/**
 * What is left to tell when a change follows another that the app has not been told of: the later switch, with everything
 * that changed since the app was last told. A deadline still ahead stays, so that changes that keep coming cannot put it
 * off; one that has passed (the app was not there, or refused) gives way to the next, lest replicas act together then.
 */
export function mergeNotifications(undelivered: Notification | undefined, next: Notification): Notification {
  if (undelivered === undefined || undelivered.id === next.id) return next
  const merged = [...undelivered.changed]
  for (const object of next.changed) {
    const at = merged.findIndex((earlier) => isSame(earlier, object))
    const paths = new Set([...(merged[at]?.paths ?? []), ...object.paths])
    if (at >= 0) merged[at] = { ...object, paths: [...paths] }
    else merged.push(object)
  }
  const isAhead = undelivered.dueAt > next.switchedAt
  return { ...next, dueAt: isAhead ? undelivered.dueAt : next.dueAt, changed: merged }
}

/** Of one name in two vaults the files differ. */
const isSame = (a: ChangedObject, b: ChangedObject): boolean =>
  a.type === b.type && a.name === b.name && a.paths.some((path) => b.paths.includes(path))
