import type { CoordinatorEvent } from '../shared/coordination/events.ts'
import type { ServedObject } from '../shared/coordination/reports.ts'
import { maxSources } from '../shared/coordination/limits.ts'
import { objectKey } from '../shared/coordination/source.ts'
import { nextDelay } from '../shared/detect/schedule.ts'
import type { Clock, Random } from '../shared/clock.ts'
import type { ClassSync, SyncPoll } from './class-sync.ts'
import { Hints } from './hints.ts'
import { createTurns } from './turns.ts'
import type { RequestingClass, Watched } from './watch.ts'

export interface ControllerOptions {
  watched: Pick<Watched, 'classes'>
  createSync: (one: RequestingClass) => Pick<ClassSync, 'poll' | 'served' | 'close'>
  /** Called with every poll, for Events, metrics and the log. */
  polled: (one: RequestingClass, poll: SyncPoll) => Promise<void>
  /** Returns whether the program may go on: polls wait until it does. */
  mayPoll: () => boolean
  clock: Clock
  random: Random
  abort: AbortSignal
}

/** A class that is followed. */
interface Followed {
  one: RequestingClass
  sync: Pick<ClassSync, 'poll' | 'served' | 'close'>
  /** When it is polled next, on the monotonic clock. */
  dueAt: number
  /** When hints want it polled. */
  hintedAt: number
  /** When its last poll ended. */
  endedAt: number
  /** Without hints, in milliseconds. */
  interval: number
  hints: Hints
  failures: number
  isPolling: boolean
  isClosed: boolean
}

/** How often the classes of the cluster are compared with those that are followed. */
const reconcileMs = 500
/** A class that changes is polled at once, but not more often than this: who may edit it could change it all the time. */
const changeSpacingMs = 5_000
/** After a problem that a person has to fix in the cluster, which costs the vault nothing. */
const refusedMs = 30_000
/** For a class of which nothing is known. */
const defaultIntervalMs = 120_000

/** Follows every class that requests Secrets. */
export interface Controller {
  /** Runs until the signal aborts; resolves when no poll is running. */
  run: () => Promise<void>
  /** The objects of all classes, in the versions that were read last: at most as many as one session may have. */
  served: () => ServedObject[]
  /** Follows the hints of a coordinator. */
  hint: (event: CoordinatorEvent & { name: 'change' }) => void
}

export function createController(options: ControllerOptions): Controller {
  const { watched, mayPoll, clock, abort } = options
  const followed = new Map<string, Followed>()
  const turns = createTurns()
  const running = new Set<Promise<void>>()

  function reconcile(): void {
    const now = clock.elapsed()
    const seen = new Set<string>()
    for (const one of watched.classes()) {
      // A recreated class is another class.
      const key = `${one.namespace}/${one.name} ${one.uid}`
      seen.add(key)
      const known = followed.get(key)
      if (known === undefined) {
        followed.set(key, follow(one, options))
      } else if (known.one.resourceVersion !== one.resourceVersion) {
        known.one = one
        known.dueAt = Math.min(known.dueAt, Math.max(now, known.endedAt + changeSpacingMs))
      }
    }
    for (const [key, one] of followed) {
      if (seen.has(key)) continue
      followed.delete(key)
      one.isClosed = true
      if (!one.isPolling) one.sync.close()
    }
  }

  function start(one: Followed): void {
    one.isPolling = true
    const poll = turns(one.one.namespace, async () => {
      if (!one.isClosed && !abort.aborted) await pollOnce(one, options)
    }).finally(() => {
      one.isPolling = false
      if (one.isClosed) one.sync.close()
      running.delete(poll)
    })
    running.add(poll)
  }

  async function run(): Promise<void> {
    while (!abort.aborted) {
      reconcile()
      const now = clock.elapsed()
      if (mayPoll())
        for (const one of followed.values()) if (!one.isPolling && Math.min(one.dueAt, one.hintedAt) <= now) start(one)
      await clock.wait(reconcileMs, abort)
    }
    await Promise.all(running)
    for (const { sync } of followed.values()) sync.close()
  }

  return {
    run,
    served() {
      const ofNamespaces = [...Map.groupBy(followed.values(), ({ one }) => one.namespace).values()].map((classes) =>
        classes.flatMap(({ sync }) => sync.served()),
      )
      const all = new Map<string, ServedObject>()
      // One of each namespace in turn, so that none takes the places of the others.
      for (let index = 0; ofNamespaces.some(({ length }) => index < length); index++)
        for (const objects of ofNamespaces) {
          const object = objects[index]
          if (object === undefined || all.has(objectKey(object))) continue
          if (all.size === maxSources) return [...all.values()]
          all.set(objectKey(object), object)
        }
      return [...all.values()]
    },
    hint(event) {
      for (const { hints } of followed.values()) hints.take(event)
    },
  }
}

function follow(one: RequestingClass, { createSync, clock, random }: ControllerOptions): Followed {
  const sync = createSync(one)
  const hints: Hints = new Hints({
    served: () => sync.served(),
    interval: () => followed.interval,
    poll: (delayMs) => (followed.hintedAt = Math.min(followed.hintedAt, clock.elapsed() + delayMs)),
    clock,
    random,
  })
  const followed: Followed = {
    ...{ one, sync, hints, interval: defaultIntervalMs, dueAt: clock.elapsed(), hintedAt: Infinity },
    ...{ endedAt: -Infinity, failures: 0, isPolling: false, isClosed: false },
  }
  return followed
}

async function pollOnce(followed: Followed, { polled, clock, random }: ControllerOptions): Promise<void> {
  const { one } = followed
  // A hint of the meantime may be about a version that this poll does not see.
  followed.hintedAt = Infinity
  const poll = await followed.sync.poll()
  const { result, interval = defaultIntervalMs, retryAfter = 0 } = poll
  followed.failures = result === 'success' ? 0 : followed.failures + 1
  const delay = nextDelay({ interval, ready: true, failures: followed.failures, retryAfter }, random)
  followed.endedAt = clock.elapsed()
  // A change during the poll may not have been seen by it.
  const isChanged = followed.one.resourceVersion !== one.resourceVersion
  const most = isChanged ? changeSpacingMs : result === 'refused' ? Math.min(refusedMs, interval) : Infinity
  followed.interval = interval
  followed.dueAt = followed.endedAt + Math.min(delay, most)
  followed.hints.polled()
  await polled(one, poll)
}
