import type { WatchedObject } from './source.ts'

/**
 * Where a pod is in the rotation of an object.
 * - `current`: it serves the newest version, and the app uses it
 * - the next six: the app does not use the newest version
 * - the last four: it is not known
 */
export const podStates = {
  current: 'serves the newest version, and its app uses it',
  behind: 'serves an older version',
  failing: 'cannot read the newest version',
  suspended: 'serves an older version because it is suspended',
  pinned: 'requests an older version',
  notifying: 'serves the newest version, and its app is yet to be notified',
  unnotified: 'serves the newest version, and nothing notifies its app',
  ahead: 'serves a version that the coordinator has not seen',
  lost: 'lost its session',
  unreported: 'has a session, and does not say what it has applied',
  'no-session': 'has no session',
} as const
export type PodRotationState = keyof typeof podStates

const unknownStates: ReadonlySet<PodRotationState> = new Set(['ahead', 'lost', 'unreported', 'no-session'])
export const isUnknown = (state: PodRotationState): boolean => unknownStates.has(state)

/** A pod in which the app may not use the newest version. */
export interface PodRotation {
  namespace: string
  pod: string
  state: Exclude<PodRotationState, 'current'>
  /** The version that it serves. */
  version?: string
  /** Why, and what to do. */
  cause: string
}

/** The rotation of one object. */
export interface ObjectRotation extends WatchedObject {
  /** The newest version; absent if the coordinator does not know it. */
  newest?: { version: string; created?: number }
  /** How many pods have the object, and in how many of them the app uses the newest version. */
  total: number
  current: number
  /** Pods in each of the other states: a bounded number of them. */
  others: PodRotation[]
  /** How many more there are. */
  left: { behind: number; unknown: number }
  /** Why the coordinator does not know everything. */
  unknown: string[]
  /** The uids of the pods that have the object and a session. */
  uids: string[]
}

/** What a coordinator answers about an object of a vault; there may be a secret, a key and a certificate of the name. */
export interface RotationAnswer {
  vault: string
  name: string
  objects: ObjectRotation[]
  /** Pods that have the object and no session, which only a caller of the Kubernetes API can find. */
  withoutSession?: PodRotation[]
  unknown: string[]
}

/** 0: the apps of all known pods use the newest version; 1: some do not; 3: it is not known. */
export function exitCodeOf({ objects, withoutSession = [], unknown }: RotationAnswer): 0 | 1 | 3 {
  if (objects.some(({ others, left }) => left.behind > 0 || others.some(({ state }) => !isUnknown(state)))) return 1
  const isVague = objects.some((one) => one.unknown.length + one.left.unknown + one.others.length > 0)
  return isVague || unknown.length + withoutSession.length > 0 || objects.length === 0 ? 3 : 0
}
