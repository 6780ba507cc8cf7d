import type { Clock } from '../../shared/clock.ts'
import { formatDuration } from '../../shared/duration.ts'
import {
  isUnknown,
  type ObjectRotation,
  type PodRotation,
  type RotationAnswer,
} from '../../shared/coordination/rotation.ts'
import { objectKey, type WatchedObject } from '../../shared/coordination/source.ts'
import type { PodIdentity } from '../tokens.ts'
import { judge, stateOrder, type SeenObject } from './judge.ts'
import type { KnownPod, Rotations } from './rotations.ts'

/** An object in the vault, or why the coordinator does not know its newest version. */
export type Seen = { object: SeenObject } | { reason: string }

/** What answers are made from. */
export interface RotationFacts {
  rotations: Pick<Rotations, 'objects' | 'pods' | 'has'>
  /** The newest version of an object. */
  seen: (object: WatchedObject) => Seen
  /** Whether the pod is sent hints about an object. */
  isCovered: (uid: string, key: string) => boolean
  /** What pods serve according to their sessions, whether they say what they have applied or not. */
  served: () => Iterable<{ identity: PodIdentity; object: WatchedObject }>
  /** Why a pod has not switched to a set that it has; undefined if it waits for nothing. */
  waitsFor: (uid: string) => string | undefined
  /** Whether a vault, by its URL, has a name. */
  isNamed: (url: string, name: string) => boolean
  /** When the coordinator started, on the monotonic clock, and how long sidecars may take to come back. */
  startedAt: number
  startGrace: () => number
  clock: Pick<Clock, 'elapsed'>
}

/** Pods of an object that are named. */
const mostNamed = 500

/** Says where the rotation of an object is. */
export function answerRotation(vault: string, name: string, facts: RotationFacts): RotationAnswer {
  const { rotations, served, isNamed, startedAt, startGrace, clock } = facts
  const isAsked = (object: WatchedObject): boolean =>
    object.name === name.toLowerCase() && isNamed(object.vault, vault.toLowerCase())
  const objects = new Map<string, { object: WatchedObject; pods: ReadonlySet<KnownPod>; silent: PodIdentity[] }>()
  for (const { object, pods } of rotations.objects())
    if (isAsked(object)) objects.set(objectKey(object), { object, pods, silent: [] })
  for (const { identity, object } of served()) {
    if (!isAsked(object) || rotations.has(identity.uid)) continue
    const entry = objects.get(objectKey(object)) ?? { object, pods: new Set(), silent: [] }
    entry.silent.push(identity)
    objects.set(objectKey(object), entry)
  }
  const unknown: string[] = []
  const age = clock.elapsed() - startedAt
  if (age < startGrace())
    unknown.push(
      `the coordinator has run for ${Math.floor(age / 1000)} s, and sidecars have ${formatDuration(startGrace())} to come back`,
    )
  const cut = [...rotations.pods()].filter(({ isCut }) => isCut).length
  if (cut > 0) unknown.push(`${cut} pods have more objects than the coordinator keeps: raise its memory limit`)
  if (objects.size === 0) unknown.push('no pod with a session has the object')
  return {
    ...{ vault, name, unknown },
    objects: [...objects.values()].map((one) => rotationOf(one, facts)),
  }
}

function rotationOf(
  { object, pods, silent }: { object: WatchedObject; pods: ReadonlySet<KnownPod>; silent: readonly PodIdentity[] },
  facts: Pick<RotationFacts, 'seen' | 'isCovered' | 'waitsFor'>,
): ObjectRotation {
  const key = objectKey(object)
  const seen = facts.seen(object)
  const known = 'object' in seen ? seen.object : undefined
  const others: PodRotation[] = []
  let current = 0
  for (const pod of pods) {
    const { identity } = pod
    const own = pod.objects.get(key)
    if (!own) continue
    const { uid } = identity
    const circumstances = { isCovered: facts.isCovered(uid, key), waitsFor: facts.waitsFor(uid) }
    const judged = judge({ pod, object: own, seen: known, ...circumstances })
    if (judged.state === 'current') current++
    // Without the newest version, only a reason of the pod's own says something.
    else if (known || judged.state === 'failing' || judged.state === 'lost')
      others.push({ ...named(identity), ...judged, ...(own.version !== undefined && { version: own.version }) })
  }
  for (const identity of silent) {
    const cause = 'its program does not say what it has applied: it is older, or it writes Kubernetes Secrets'
    others.push({ ...named(identity), state: 'unreported', cause })
  }
  others.sort((one, other) => stateOrder.indexOf(one.state) - stateOrder.indexOf(other.state))
  const left = others.splice(mostNamed)
  const uids = [...pods].filter(({ lostAt }) => lostAt === undefined).map(({ identity }) => identity.uid)
  return {
    ...object,
    ...(known && { newest: known.newest }),
    ...{ total: pods.size + silent.length, current, others },
    left: {
      behind: left.filter(({ state }) => !isUnknown(state)).length,
      unknown: left.filter(({ state }) => isUnknown(state)).length,
    },
    unknown: 'reason' in seen ? [seen.reason] : [],
    uids: [...uids, ...silent.map(({ uid }) => uid)],
  }
}

const named = ({ namespace, pod }: PodIdentity): Pick<PodRotation, 'namespace' | 'pod'> => ({ namespace, pod })
