import type { Clock } from '../../shared/clock.ts'
import type { Change, CoordinatorEvent, Look } from '../../shared/coordination/events.ts'
import { everyObject, groupKey, objectKey, type WatchedObject } from '../../shared/coordination/source.ts'
import type { ServedObject } from '../../shared/coordination/reports.ts'
import { createNamespaceBudget } from '../../shared/namespace-budget.ts'
import type { Vault, VaultFailure } from '../../shared/vault/store.ts'
import type { Seen } from '../rotation/answer.ts'
import { createBudget, type Budget } from './budget.ts'
import { Group } from './group.ts'
import type { Observed } from './observed.ts'
import { spreadOf } from './spread.ts'
import { Subscription, type Listener } from './subscription.ts'

/** A vault as the coordinator's own identity sees it. */
export interface WatchedVault extends Pick<Vault, 'list' | 'versions'> {
  /** Ends its connections. */
  close(): void
}

export interface WatcherOptions {
  /** Opens a vault; it is closed as soon as nothing in it is watched. */
  vault: (url: string) => WatchedVault
  /** Whether pods of a namespace may have a vault watched. */
  isAllowed: (namespace: string, url: string) => boolean
  /** Between two looks, in milliseconds. */
  watchInterval: () => number
  /** Requests a second that hints may cause. */
  hintRate: () => number
  clock: Clock
  onFailure: (url: string, failure: VaultFailure) => void
}

/** Bounds for the sidecars of one namespace together. */
export const namespaceLimits = { vaults: 20, objects: 500 }
/**
 * Vaults that the sidecars of one namespace may have opened. Each takes connections and a sign-in, and with patterns in the administrator's
 * list, sidecars can name vaults that do not exist. A pod with as many vaults as are allowed can come back twice at once.
 */
export const openRate = { burst: 3 * namespaceLimits.vaults, perSecond: 0.1 }

/** The requests that a hint causes: one for each object, and a whole list for finds. */
const costOf = (changes: readonly Change[], pages: number): number =>
  changes.reduce((sum, { name }) => sum + (name === everyObject ? pages : 1), 0)

/** Watches what sidecars serve, and tells each of them about its own objects. */
export class Watcher {
  readonly #options: WatcherOptions
  readonly #groups = new Map<string, Group>()
  /** By URL; each is open for as long as it has a group. */
  readonly #vaults = new Map<string, { vault: WatchedVault; budget: Budget }>()
  readonly #mayOpen: (namespace: string) => boolean
  readonly #subscriptions = new Map<Listener, Subscription>()
  /** How many subscriptions of a namespace there are for each object, by namespace and the object's key. */
  readonly #counts = new Map<string, Map<string, number>>()

  constructor(options: WatcherOptions) {
    this.#options = options
    this.#mayOpen = createNamespaceBudget(openRate, options.clock)
  }

  /** Takes over what a sidecar serves, in place of what it served before. */
  update(listener: Listener, snapshot: number, objects: readonly ServedObject[]): void {
    const subscription = this.#subscriptions.get(listener) ?? new Subscription(listener)
    this.#subscriptions.set(listener, subscription)
    const { namespace } = listener
    const previous = Array.from(subscription.objects.values(), ({ object }) => object)
    for (const object of previous) this.#count(namespace, objectKey(object), -1)
    const accepted = this.#accept(namespace, objects)
    for (const object of accepted) this.#groupOf(object).add(object.name)
    for (const object of previous) this.#release(object)
    subscription.replace(snapshot, accepted)
    this.#announce(subscription)
  }

  /** Forgets a sidecar. */
  remove(listener: Listener): void {
    const subscription = this.#subscriptions.get(listener)
    if (!subscription) return
    for (const { object } of subscription.objects.values()) {
      this.#count(listener.namespace, objectKey(object), -1)
      this.#release(object)
    }
    this.#subscriptions.delete(listener)
  }

  /** How old the last complete look at each kind of objects is that a sidecar has covered. */
  looks(listener: Listener): Look[] {
    const { clock } = this.#options
    const subscription = this.#subscriptions.get(listener)
    const groups = new Map<string, WatchedObject>()
    for (const object of subscription?.covered() ?? []) groups.set(groupKey(object), object)
    return [...groups].flatMap(([key, { vault, type }]) => {
      const lookedAt = this.#groups.get(key)?.lookedAt
      return lookedAt === undefined ? [] : [{ vault, type, ageMs: Math.ceil(clock.elapsed() - lookedAt) }]
    })
  }

  /** The newest version of an object, or why it is not known; a look counts for as long as it covers pods. */
  seen(object: WatchedObject, ageMs: number): Seen {
    const group = this.#groups.get(groupKey(object))
    const observed = group?.objects.get(object.name)
    if (!group || !observed) return { reason: 'no pod could read it, so the coordinator does not look at it' }
    const isFresh = (group.lookedAt ?? -Infinity) >= this.#options.clock.elapsed() - ageMs
    if (!isFresh || observed.retryAt !== undefined)
      return { reason: 'the coordinator could not look at it: see its log line look-failed' }
    const { newest, versions } = observed
    if (!newest || !versions) return { reason: 'the vault has no version of it that the coordinator has seen' }
    const { created } = newest.attributes
    return { object: { versions, newest: { version: newest.version, ...(created !== undefined && { created }) } } }
  }

  /** Whether a sidecar was told that an object is watched. */
  isCovered(listener: Listener, key: string): boolean {
    return this.#subscriptions.get(listener)?.objects.get(key)?.isCovered ?? false
  }

  /** The objects that each sidecar serves. */
  *served(): Iterable<{ listener: Listener; object: WatchedObject }> {
    for (const { listener, objects } of this.#subscriptions.values())
      for (const { object } of objects.values()) if (object.name !== everyObject) yield { listener, object }
  }

  /** For metrics: how many kinds of objects are watched, and how many of them were looked at within a time. */
  counts(ageMs: number): { groups: number; fresh: number } {
    const since = this.#options.clock.elapsed() - ageMs
    const fresh = this.#groups.values().filter(({ lookedAt = -Infinity }) => lookedAt >= since)
    return { groups: this.#groups.size, fresh: fresh.reduce((sum) => sum + 1, 0) }
  }

  close(): void {
    for (const group of this.#groups.values()) group.close()
    this.#groups.clear()
    for (const { vault } of this.#vaults.values()) vault.close()
    this.#vaults.clear()
    this.#subscriptions.clear()
  }

  /** Returns the objects that the administrator allows, within the limits of the namespace; the others stay uncovered. */
  #accept(namespace: string, objects: readonly ServedObject[]): ServedObject[] {
    const known = new Set(this.#counts.get(namespace)?.keys())
    const vaults = new Set(known.values().map((key) => key.split(' ', 1)[0]))
    const isWithinLimits = (object: ServedObject): boolean =>
      (known.has(objectKey(object)) || known.size < namespaceLimits.objects) &&
      (vaults.has(object.vault) || vaults.size < namespaceLimits.vaults)
    const mayBeOpen = ({ vault }: ServedObject): boolean =>
      vaults.has(vault) || this.#vaults.has(vault) || this.#mayOpen(namespace)
    const accepted = new Map<string, ServedObject>()
    for (const object of objects) {
      const key = objectKey(object)
      if (accepted.has(key) || !isWithinLimits(object) || !this.#options.isAllowed(namespace, object.vault)) continue
      if (!mayBeOpen(object)) continue
      accepted.set(key, object)
      known.add(key)
      vaults.add(object.vault)
    }
    for (const key of accepted.keys()) this.#count(namespace, key, 1)
    return [...accepted.values()]
  }

  #count(namespace: string, key: string, by: 1 | -1): void {
    const counts = this.#counts.get(namespace) ?? new Map<string, number>()
    const count = (counts.get(key) ?? 0) + by
    if (count > 0) counts.set(key, count)
    else counts.delete(key)
    if (counts.size > 0) this.#counts.set(namespace, counts)
    else this.#counts.delete(namespace)
  }

  #groupOf({ vault, type }: WatchedObject): Group {
    const key = groupKey({ vault, type })
    const known = this.#groups.get(key)
    if (known) return known
    const { clock, watchInterval, onFailure } = this.#options
    const opened = this.#vaults.get(vault) ?? { vault: this.#options.vault(vault), budget: createBudget(clock) }
    this.#vaults.set(vault, opened)
    const group: Group = new Group({
      ...opened,
      ...{ type, clock, interval: watchInterval },
      onLooked: (changed) => this.#looked(key, changed),
      onFailure: (failure) => {
        if (failure.kind === 'forbidden') this.#lost(key, failure.message)
        onFailure(vault, failure)
      },
      onLost: (failure) => onFailure(vault, failure),
    })
    this.#groups.set(key, group)
    return group
  }

  /** Stops watching what no sidecar serves any more. */
  #release(object: WatchedObject): void {
    const key = groupKey(object)
    const group = this.#groups.get(key)
    if (!group) return
    group.remove(object.name)
    if (group.objects.size > 0) return
    group.close()
    this.#groups.delete(key)
    const isWatched = this.#groups.keys().some((one) => one.startsWith(`${object.vault} `))
    if (isWatched) return
    this.#vaults.get(object.vault)?.vault.close()
    this.#vaults.delete(object.vault)
  }

  #looked(key: string, changed: ReadonlySet<string>): void {
    const group = this.#groups.get(key)
    if (!group) return
    // The first look may find versions that many sidecars have not read: their requests are spread like those of a change.
    const own = [...this.#subscriptions.values()].map((subscription) => ({
      subscription,
      changes: [...subscription.changes(key, group, changed), ...subscription.cover(this.#observed)],
    }))
    const spreadMs = spreadOf(
      own.reduce((sum, { changes }) => sum + costOf(changes, group.pages), 0),
      this.#options.hintRate(),
    )
    for (const { subscription, changes } of own) this.#hint(subscription, changes, spreadMs)
  }

  #lost(key: string, reason: string): void {
    for (const subscription of this.#subscriptions.values()) subscription.lose(key, reason)
  }

  /** Tells a sidecar what of its objects is watched, and of newer versions than it serves. */
  #announce(subscription: Subscription): void {
    const outdated = subscription.cover(this.#observed)
    this.#hint(subscription, outdated, spreadOf(outdated.length, this.#options.hintRate()))
  }

  /** What is known of an object, of a kind that was looked at. */
  #observed = (object: WatchedObject): Observed | undefined => {
    const group = this.#groups.get(groupKey(object))
    return group?.lookedAt === undefined ? undefined : group.objects.get(object.name)
  }

  #hint({ listener }: Subscription, changes: readonly Change[], spreadMs: number): void {
    const event: CoordinatorEvent = { name: 'change', changes: [...changes], spreadMs }
    if (changes.length > 0) listener.send(event)
  }
}
