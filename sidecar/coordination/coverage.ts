import type { Clock, Random } from '../../shared/clock.ts'
import type { ReadResult } from '../../shared/detect/read-vault.ts'
import type { Source } from '../../shared/detect/sources.ts'
import type { Change, CoordinatorEvent } from '../../shared/coordination/events.ts'
import { createBucket, type Bucket } from '../../shared/coordination/rate.ts'
import type { ServedObject } from '../../shared/coordination/reports.ts'
import { groupKey, objectKey } from '../../shared/coordination/source.ts'
import type { CoordinationHost } from '../poll/coordination.ts'
import { mayBeWatched, watchables, type Watchable } from './watchable.ts'

export interface CoverageOptions {
  host: CoordinationHost
  /** How old the coordinator's last look may be, in milliseconds. */
  coverageAgeMs: number
  clock: Pick<Clock, 'elapsed'>
  random: Random
}

/** A hint that the sidecar has not followed yet. */
interface Hint extends Pick<Change, 'version' | 'created'> {
  at: number
  /** Polls that read something else. */
  attempts: number
}

/** What the coordinator said about an object, and what came of it. Times are on the monotonic clock. */
interface Watch {
  /** The snapshot in which the coordinator was first told of the object. */
  since: number
  /** When the coordinator said that it watches the object. */
  announcedAt?: number
  /** Whether an ordinary poll that began after that has read the object. */
  isConfirmed: boolean
  hint?: Hint
}

/** Polls that hints may cause: so many at once, and then one in each poll interval. A coordinator gone mad costs no more than polling. */
const hintPolls = 3
/** A replica of the vault may lag: a hint that a poll did not confirm is followed again after 1, 2 and 4 s. */
const retries = 3
const firstRetryMs = 1_000

/**
 * Decides for which vaults a sidecar may stop polling. A source is covered if the coordinator watches it, an ordinary poll has
 * read it since, and the coordinator's last look is recent. Nothing here makes a request, changes a file or throws.
 */
export class Coverage {
  readonly #options: CoverageOptions
  readonly #watches = new Map<string, Watch>()
  /** When the coordinator last looked at each kind of objects. */
  readonly #lookedAt = new Map<string, number>()
  readonly #bucket: Bucket
  readonly #wasCovered = new Set<string>()
  /** Vaults whose hints were left to an ordinary poll. */
  readonly #gaveUp = new Set<string>()

  constructor(options: CoverageOptions) {
    const { clock, host } = options
    this.#options = options
    this.#bucket = createBucket({ capacity: hintPolls, refillMs: () => host.pollInterval(), clock })
  }

  /** What the coordinator may watch: sources that can change and whose last read succeeded, and lists for finds. */
  served(): ServedObject[] {
    const served = new Map<string, ServedObject>()
    for (const one of watchables(this.#options.host)) {
      const { object, key, known } = one
      if (known && mayBeWatched(one)) served.set(key, { ...object, version: known.version })
    }
    return [...served.values()]
  }

  /** To be called when a snapshot is sent. */
  reported(snapshot: number, objects: readonly ServedObject[]): void {
    const keys = new Set(objects.map(objectKey))
    for (const key of this.#watches.keys()) if (!keys.has(key)) this.#watches.delete(key)
    for (const key of keys) {
      if (!this.#watches.has(key)) this.#watches.set(key, { since: snapshot, isConfirmed: false })
    }
  }

  /** To be called when a session ends. */
  disconnected(): void {
    this.#watches.clear()
    this.#lookedAt.clear()
    this.check()
  }

  take(event: CoordinatorEvent): void {
    if (event.name === 'heartbeat') {
      const now = this.#options.clock.elapsed()
      this.#lookedAt.clear()
      for (const look of event.looks) this.#lookedAt.set(groupKey(look), now - look.ageMs)
    }
    if (event.name === 'coverage') this.#cover(event)
    if (event.name === 'change') this.#hint(event.changes, event.spreadMs)
  }

  isCovered(vault: string): boolean {
    const all = watchables(this.#options.host, vault)
    return all.length > 0 && all.every((one) => this.#isCovered(one))
  }

  hinted(vault: string): Source[] | undefined {
    const hinted = this.#hinted(vault)
    const sources = hinted.flatMap(({ source }) => source ?? [])
    return sources.length === hinted.length ? sources : undefined
  }

  /** @returns to be called with what the poll read */
  pollBegan(vault: string): (read: ReadResult | undefined, isHinted: boolean) => void {
    const began = this.#options.clock.elapsed()
    return (read, isHinted) => {
      // A poll in place of hints counts as one of them, so that hints without end cost no more than polling.
      if (!isHinted && this.#gaveUp.delete(vault)) this.#bucket.owe()
      for (const one of watchables(this.#options.host, vault)) {
        const watch = this.#watch(one)
        if (watch?.hint && watch.hint.at <= began) this.#resolve(one, watch, watch.hint, read)
        if (watch && !isHinted && read && one.isSeen(read)) this.#confirm(one, watch, began)
      }
      // The poller may now draw the long interval: coverage that ends before the next check must bring the poll forward.
      this.check()
    }
  }

  /**
   * Finds out which vaults are not covered any more.
   * @param isSpaced true if hints are the reason: those without end must not cause more polls than there are without them
   */
  check(isSpaced = false): void {
    const { host } = this.#options
    for (const vault of new Set([...host.foundLists(), ...host.sources()].map((one) => one.vault))) {
      const isCovered = this.isCovered(vault)
      if (!isCovered && this.#wasCovered.has(vault) && this.#hinted(vault).length === 0) {
        this.#wasCovered.delete(vault)
        host.uncovered(vault, isSpaced)
      }
      if (isCovered) this.#wasCovered.add(vault)
    }
  }

  #isCovered(one: Watchable): boolean {
    if (!one.known) return false
    if (one.isFixed) return true
    const watch = this.#watch(one)
    return watch?.isConfirmed === true && watch.hint === undefined && this.#isFresh(one)
  }

  #isFresh({ object }: Watchable): boolean {
    const { clock, coverageAgeMs } = this.#options
    return clock.elapsed() - (this.#lookedAt.get(groupKey(object)) ?? -Infinity) < coverageAgeMs
  }

  #watch = (one: Watchable): Watch | undefined => (mayBeWatched(one) ? this.#watches.get(one.key) : undefined)

  #hinted = (vault: string): Watchable[] =>
    watchables(this.#options.host, vault).filter((one) => this.#watch(one)?.hint !== undefined)

  /** A change between the look and this poll would be announced; one before the poll was read by it. */
  #confirm(one: Watchable, watch: Watch, began: number): void {
    if (!this.#isFresh(one)) watch.isConfirmed = false
    else if (one.known?.isConclusive && (watch.announcedAt ?? Infinity) <= began) watch.isConfirmed = true
  }

  #cover({ snapshot, isCovered, objects }: CoordinatorEvent & { name: 'coverage' }): void {
    for (const object of objects) {
      const watch = this.#watches.get(objectKey(object))
      // What was said of an earlier snapshot does not hold for an object that went and came back.
      if (!watch || (isCovered && snapshot < watch.since)) continue
      watch.isConfirmed = false
      if (isCovered) watch.announcedAt = this.#options.clock.elapsed()
      else delete watch.announcedAt
    }
  }

  #hint(changes: readonly Change[], spreadMs: number): void {
    const { clock, random, host } = this.#options
    const vaults = new Set<string>()
    for (const { version, created, ...object } of changes) {
      const watch = this.#watches.get(objectKey(object))
      if (!watch) continue
      const named = { ...(version !== undefined && { version }), ...(created !== undefined && { created }) }
      watch.hint = { ...named, at: clock.elapsed(), attempts: 0 }
      vaults.add(object.vault)
    }
    for (const vault of vaults) {
      if (this.#bucket.take()) host.hint(vault, random() * Math.min(spreadMs, host.pollInterval()))
      else this.#giveUp(vault)
    }
  }

  /** Decides whether a poll followed a hint: it read the version that the hint names, or a later one. */
  #resolve(one: Watchable, watch: Watch, hint: Hint, read: ReadResult | undefined): void {
    const { host } = this.#options
    const { version, created = 0 } = (read && one.isRead(read) ? one.known : undefined) ?? {}
    const isLater = hint.created !== undefined && created > hint.created
    if (version !== undefined && (hint.version === undefined || hint.version === version || isLater)) {
      delete watch.hint
    } else if (!one.isFailing && hint.attempts < retries && this.#bucket.take()) {
      hint.at = -Infinity
      host.hint(one.vault, firstRetryMs * 2 ** hint.attempts++)
    } else {
      delete watch.hint
      watch.isConfirmed = false
      this.#gaveUp.add(one.vault)
      this.check(true)
    }
  }

  /** Leaves the hints of a vault to an ordinary poll. */
  #giveUp(vault: string): void {
    this.#gaveUp.add(vault)
    for (const one of this.#hinted(vault)) {
      const watch = this.#watch(one)
      if (!watch) continue
      delete watch.hint
      watch.isConfirmed = false
    }
    this.check(true)
  }
}
