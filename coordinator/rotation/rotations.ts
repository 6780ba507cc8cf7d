import type { Clock } from '../../shared/clock.ts'
import { reportedProblems } from '../../shared/coordination/limits.ts'
import type { ObjectState, PodState } from '../../shared/coordination/pod-state.ts'
import { objectKey, type WatchedObject } from '../../shared/coordination/source.ts'
import type { PodIdentity } from '../tokens.ts'

/** A pod as its sidecar described it last. */
export interface KnownPod extends Omit<PodState, 'objects'> {
  /** From the claims of its token. */
  identity: PodIdentity
  /** By the object's key. */
  objects: ReadonlyMap<string, KnownObject>
  /** Whether it has more objects than are kept. */
  isCut: boolean
  /** When its session was lost, on the monotonic clock; absent while it has one. */
  lostAt?: number
}

/** An object as a pod has applied it; its names are those of the key. */
export interface KnownObject extends Omit<ObjectState, keyof WatchedObject> {
  /** Since when it has had a problem, on the monotonic clock. */
  failingSince?: number
}

export interface RotationsOptions {
  /** How many pods are kept whose sessions were lost, and how many objects there are for each pod on average. */
  limit: number
  /** Whether pods of a namespace may have a vault watched: of other vaults, nothing is kept. */
  isAllowed: (namespace: string, url: string) => boolean
  /** How long a lost pod is kept, in milliseconds. */
  lostGrace: () => number
  clock: Pick<Clock, 'elapsed'>
}

/** The pods of an object. */
interface ObjectEntry {
  object: WatchedObject
  key: string
  /** The version that was reported last: most pods share one string. */
  version?: string | undefined
  pods: Set<KnownPod>
}

/** Objects of all pods together, for each session that there may be; a namespace may use a half of them. */
export const objectsPerSession = 20

/** What sidecars said that they have applied. Each of them can change what is known of its own pod alone. */
export class Rotations {
  readonly #options: RotationsOptions
  /** By uid; the pods that were lost first come first among those. */
  readonly #pods = new Map<string, KnownPod>()
  /** Which pods have an object, by its key. */
  readonly #byObject = new Map<string, ObjectEntry>()
  readonly #counts = new Map<string, number>()
  #total = 0

  constructor(options: RotationsOptions) {
    this.#options = options
  }

  /** How many objects are kept. */
  get size(): number {
    return this.#total
  }

  /** Takes over what the sidecar of a pod has applied, in place of what it said before. */
  update(identity: PodIdentity, { objects, ...state }: PodState): void {
    const before = this.#pods.get(identity.uid)?.objects
    this.forget(identity.uid)
    const { namespace } = identity
    const { limit, isAllowed, clock } = this.#options
    const most = limit * objectsPerSession
    const known = new Map<string, KnownObject>()
    const pod: KnownPod = { ...state, identity, objects: known, isCut: false }
    let messages = 0
    for (const { vault, type, name, problem, ...object } of objects) {
      const key = objectKey({ vault, type, name })
      if (known.has(key) || !isAllowed(namespace, vault)) continue
      const count = this.#counts.get(namespace) ?? 0
      if (this.#total >= most || count >= most / 2) {
        pod.isCut = true
        break
      }
      const hasMessage = problem?.message !== undefined && messages++ < reportedProblems
      const kept = problem && (hasMessage ? problem : { kind: problem.kind })
      const entry = this.#byObject.get(key) ?? { key, object: { vault, type, name }, pods: new Set() }
      if (entry.version !== object.version) entry.version = object.version
      const failing = kept && { problem: kept, failingSince: before?.get(key)?.failingSince ?? clock.elapsed() }
      known.set(entry.key, shared({ ...object, ...failing }, entry))
      this.#total++
      this.#counts.set(namespace, count + 1)
      entry.pods.add(pod)
      this.#byObject.set(key, entry)
    }
    this.#pods.set(identity.uid, pod)
  }

  /** Forgets a pod that ended, or whose new session has not said anything yet. */
  forget(uid: string): void {
    const pod = this.#pods.get(uid)
    if (!pod) return
    const { namespace } = pod.identity
    for (const key of pod.objects.keys()) {
      const entry = this.#byObject.get(key)
      entry?.pods.delete(pod)
      if (entry?.pods.size === 0) this.#byObject.delete(key)
    }
    this.#total -= pod.objects.size
    const count = (this.#counts.get(namespace) ?? 0) - pod.objects.size
    if (count > 0) this.#counts.set(namespace, count)
    else this.#counts.delete(namespace)
    this.#pods.delete(uid)
  }

  /** Keeps what is known of a pod whose session ended for no good reason, for a while. */
  lose(uid: string): void {
    const pod = this.#pods.get(uid)
    if (!pod) return
    this.#pods.delete(uid)
    pod.lostAt = this.#options.clock.elapsed()
    this.#pods.set(uid, pod)
    this.#expire()
  }

  /** Whether the sidecar of a pod has said what it has applied. */
  has = (uid: string): boolean => this.#pods.has(uid)

  /** The controller of a pod, as its sidecar names it. */
  ownerOf = (uid: string): KnownPod['owner'] => this.#pods.get(uid)?.owner

  /** All pods, those that were lost included. */
  pods(): Iterable<KnownPod> {
    this.#expire()
    return this.#pods.values()
  }

  /** The objects that pods have, and the pods that have them. */
  objects(): Iterable<{ object: WatchedObject; pods: ReadonlySet<KnownPod> }> {
    this.#expire()
    return this.#byObject.values()
  }

  /** Forgets pods that were lost long ago, and the first of too many. */
  #expire(): void {
    const { limit, lostGrace, clock } = this.#options
    const lost = [...this.#pods].filter(([, { lostAt }]) => lostAt !== undefined)
    const since = clock.elapsed() - lostGrace()
    lost.forEach(([uid, { lostAt = 0 }], index) => {
      if (lostAt < since || lost.length - index > limit) this.forget(uid)
    })
  }
}

/** Gives the object the string of its version that other pods have, which takes less memory. */
const shared = (object: KnownObject, { version }: ObjectEntry): KnownObject =>
  version === undefined ? object : { ...object, version }
