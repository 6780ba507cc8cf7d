import type { Change, CoordinatorEvent } from '../../shared/coordination/events.ts'
import { groupKey, objectKey, type WatchedObject } from '../../shared/coordination/source.ts'
import type { ServedObject } from '../../shared/coordination/reports.ts'
import type { Group } from './group.ts'
import type { Observed } from './observed.ts'

/** A sidecar that gets hints about its objects. */
export interface Listener {
  readonly namespace: string
  send: (event: CoordinatorEvent) => void
}

interface Subscribed {
  object: ServedObject
  /** Whether the sidecar was told that the object is watched. */
  isCovered: boolean
  /** The version of the last hint. */
  hinted?: string
}

/** What one sidecar serves, and what it was told of it. */
export class Subscription {
  readonly listener: Listener
  readonly objects = new Map<string, Subscribed>()
  #snapshot = 0

  constructor(listener: Listener) {
    this.listener = listener
  }

  /** Takes over a snapshot; what it does not have any more is not covered any more. */
  replace(snapshot: number, objects: readonly ServedObject[]): void {
    this.#snapshot = snapshot
    const previous = new Map(this.objects)
    this.objects.clear()
    for (const object of objects) {
      const known = previous.get(objectKey(object))
      this.objects.set(objectKey(object), known ? { ...known, object } : { object, isCovered: false })
    }
  }

  /** The objects that the sidecar knows to be watched. */
  covered(): WatchedObject[] {
    return [...this.objects.values()].filter(({ isCovered }) => isCovered).map(({ object }) => object)
  }

  /**
   * Tells the sidecar which of its objects are watched from now on: those of which it serves an existing version. Who names an
   * object without having read it learns nothing about it. Tells it also which of them can be looked at no longer.
   * @returns the newest versions of objects of which it serves another
   */
  cover(observedOf: (object: WatchedObject) => Observed | undefined): Change[] {
    const added: WatchedObject[] = []
    const lost: WatchedObject[] = []
    const outdated: Change[] = []
    for (const one of this.objects.values()) {
      const observed = observedOf(one.object)
      if (!observed) continue
      if (!observed.versions) {
        if (one.isCovered) lost.push(one.object)
        one.isCovered = false
        continue
      }
      if (!observed.versions.has(one.object.version)) {
        // It may be newer than the last look, or was never there.
        if (!one.isCovered) observed.isQuestioned = true
        continue
      }
      if (!one.isCovered) added.push(one.object)
      one.isCovered = true
      observed.isCovered = true
      const newest = observed.newest?.version
      if (newest === one.object.version) one.hinted = newest
      else if (newest !== one.hinted) outdated.push(this.#change(one, observed))
    }
    this.#send(added, true)
    this.#send(lost, false, 'the coordinator cannot look at it: see its log line look-failed')
    return outdated
  }

  /** The changes of a group that concern the sidecar. */
  changes(key: string, { objects }: Pick<Group, 'objects'>, changed: ReadonlySet<string>): Change[] {
    if (changed.size === 0) return []
    return [...this.objects.values()].flatMap((one) => {
      const observed = objects.get(one.object.name)
      const isOwn = one.isCovered && groupKey(one.object) === key && changed.has(one.object.name)
      return isOwn && observed ? [this.#change(one, observed)] : []
    })
  }

  /** Tells the sidecar that a group is not watched any more. */
  lose(key: string, reason: string): void {
    const lost = [...this.objects.values()].filter(({ isCovered, object }) => isCovered && groupKey(object) === key)
    for (const one of lost) one.isCovered = false
    this.#send(
      lost.map(({ object }) => object),
      false,
      reason,
    )
  }

  #change(one: Subscribed, { newest }: Observed): Change {
    const { vault, type, name } = one.object
    if (newest) one.hinted = newest.version
    const created = newest?.attributes.created
    return {
      ...{ vault, type, name },
      ...(newest && { version: newest.version }),
      ...(created !== undefined && { created }),
    }
  }

  #send(objects: readonly WatchedObject[], isCovered: boolean, reason?: string): void {
    if (objects.length === 0) return
    const named = objects.map(({ vault, type, name }) => ({ vault, type, name }))
    const why = reason === undefined ? {} : { reason }
    this.listener.send({ name: 'coverage', snapshot: this.#snapshot, isCovered, objects: named, ...why })
  }
}
