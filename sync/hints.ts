import type { Clock, Random } from '../shared/clock.ts'
import type { CoordinatorEvent } from '../shared/coordination/events.ts'
import { createBucket, type Bucket } from '../shared/coordination/rate.ts'
import type { ServedObject } from '../shared/coordination/reports.ts'
import { objectKey } from '../shared/coordination/source.ts'

export interface HintsOptions {
  /** The objects of the class, in the versions that were read last. */
  served: () => readonly ServedObject[]
  /** Between two polls without hints, in milliseconds. */
  interval: () => number
  /** Requests a poll after a number of milliseconds. */
  poll: (delayMs: number) => void
  clock: Pick<Clock, 'elapsed'>
  random: Random
}

/** Polls that hints may cause: so many at once, and then one in each poll interval. A coordinator gone mad costs little. */
const hintPolls = 3
/** A replica of the vault may lag: a hint that a poll did not confirm is followed again after 1, 2 and 4 s. */
const retries = 3
const firstRetryMs = 1_000

/** What a coordinator said about the objects of one class, until a poll has confirmed it. A class is polled at its interval all the same. */
export class Hints {
  readonly #options: HintsOptions
  readonly #bucket: Bucket
  /** By the object's key: the version to be read, if the hint named one, and how many polls read another. */
  readonly #open = new Map<string, { version: string | undefined; attempts: number }>()

  constructor(options: HintsOptions) {
    const { clock, interval } = options
    this.#options = options
    this.#bucket = createBucket({ capacity: hintPolls, refillMs: interval, clock })
  }

  take({ changes, spreadMs }: CoordinatorEvent & { name: 'change' }): void {
    const { served, random, interval } = this.#options
    const own = new Set(served().map(objectKey))
    const named = changes.filter((change) => own.has(objectKey(change)))
    if (named.length === 0 || !this.#bucket.take()) return
    for (const change of named) this.#open.set(objectKey(change), { version: change.version, attempts: 0 })
    this.#options.poll(random() * Math.min(spreadMs, interval()))
  }

  /** To be called after each poll: asks for another one if a version that was announced was not read yet. */
  polled(): void {
    const { served, poll } = this.#options
    const versions = new Map(served().map((one) => [objectKey(one), one.version]))
    let delay = Infinity
    for (const [key, hint] of this.#open) {
      const isRead = hint.version === undefined || versions.get(key) === hint.version
      if (isRead || hint.attempts >= retries) this.#open.delete(key)
      else delay = Math.min(delay, firstRetryMs * 2 ** hint.attempts++)
    }
    if (delay < Infinity && this.#bucket.take()) poll(delay)
    else if (delay < Infinity) this.#open.clear()
  }
}
