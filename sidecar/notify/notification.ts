/** A changed object, without its value. */
export interface ChangedObject {
  type: string
  name: string
  version: string
  /** The files it is written to, relative to the mount. */
  paths: string[]
}

/** A change that was switched in and of which the app is notified. It is kept in the volume until it is delivered. */
export interface Notification {
  /** Identifies the switch; a later one that replaces this before delivery has another ID. */
  id: string
  /** When the set was switched in, milliseconds since 1970. */
  switchedAt: number
  /** When it is due, milliseconds since 1970: `switchedAt` plus a random part of the splay. */
  dueAt: number
  changed: ChangedObject[]
}

/** The outcome of an attempt to notify the app. */
export type NotificationOutcome =
  | 'delivered'
  | 'no-such-process' // not started yet, or restarting
  | 'not-permitted' // another user's process
  | 'not-identifiable' // /proc does not show which process belongs to which container
  | 'http-error' // the notify URL did not answer 2xx in time

/**
 * Merges a change with an earlier one of which the app has not been notified: the later switch, with everything that changed
 * since the app was last notified. A deadline in the future stays, so that continuous changes cannot postpone it; one that
 * has passed (the app was not running, or refused) is replaced by the next, so that replicas do not act at the same time.
 * At most {@link mostChanged} objects stay.
 */
export function mergeNotifications(undelivered: Notification | undefined, next: Notification): Notification {
  if (undelivered === undefined || undelivered.id === next.id) return bounded(next)
  const merged = [...undelivered.changed]
  for (const object of next.changed) {
    const at = merged.findIndex((earlier) => isSame(earlier, object))
    const paths = new Set([...(merged[at]?.paths ?? []), ...object.paths])
    if (at >= 0) merged[at] = { ...object, paths: [...paths] }
    else merged.push(object)
  }
  const isAhead = undelivered.dueAt > next.switchedAt
  return bounded({ ...next, dueAt: isAhead ? undelivered.dueAt : next.dueAt, changed: merged })
}

/** Limit of the objects of a notification. A pod has at most 500 at a time. */
export const mostChanged = 1_000

/** Leaves out what is too much: first objects that have ended, because the names of matches may change forever. */
function bounded(notification: Notification): Notification {
  const { changed } = notification
  const excess = changed.length - mostChanged
  if (excess <= 0) return notification
  const kept = new Set([...new Set([...changed.filter(isEnded), ...changed])].slice(excess))
  return { ...notification, changed: changed.filter((one) => kept.has(one)) }
}

const isEnded = ({ type, version }: ChangedObject): boolean =>
  version === '' && type !== 'template' && type !== 'bundle'

/** Objects of the same name in two vaults have different files. */
const isSame = (a: ChangedObject, b: ChangedObject): boolean =>
  a.type === b.type && a.name === b.name && a.paths.some((path) => b.paths.includes(path))
