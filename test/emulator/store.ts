import { randomBytes } from 'node:crypto'

/** Times are whole seconds since 1970, as the service keeps them. */
export interface Attributes {
  enabled: boolean
  created: number
  updated: number
  exp?: number
  nbf?: number
}

export interface Version<C> {
  readonly id: string
  readonly attributes: Attributes
  tags?: Record<string, string>
  /** Made by and with a certificate of the same name. */
  readonly managed?: boolean
  content: C
}

export interface VersionOptions {
  id?: string
  attributes?: Partial<Attributes>
  tags?: Record<string, string> | undefined
  managed?: boolean
}

export interface StoredObject<C> {
  /** As first written; look-ups ignore case. */
  readonly name: string
  /** Oldest first. */
  versions: Version<C>[]
  deletedAt?: number
  /** What a LIST showed after each change: the latest version then, or undefined while deleted. */
  shown: { at: number; change: number; version: Version<C> | undefined }[]
}

/** A moment in the past as LIST may show it: by time (milliseconds) or by number of changes. */
export type Moment = { at: number } | { change: number }

/** The emulator's clock in milliseconds, and a count of changes that orders what happens within one millisecond. */
export interface Clock {
  now(): number
  changes: number
}

const seconds = (ms: number) => Math.floor(ms / 1000)
/** A model test makes many changes; no test requests a LIST that lags by more than these. */
const shownLimit = 100

/** All objects of one kind in a vault. Names compare without case. */
export class ObjectStore<C> {
  readonly #objects = new Map<string, StoredObject<C>>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Adds a version, and the object if it is new (or was deleted: then its earlier versions are gone). */
  add(name: string, content: C, { id, attributes, tags, managed }: VersionOptions = {}): Version<C> {
    const now = seconds(this.#clock.now())
    const version: Version<C> = {
      id: id ?? randomBytes(16).toString('hex'),
      attributes: { enabled: true, created: now, updated: now, ...defined(attributes) },
      ...(tags && { tags }),
      ...(managed && { managed }),
      content,
    }
    let object = this.#objects.get(name.toLowerCase())
    if (!object || object.deletedAt !== undefined) {
      object = { name, versions: [], shown: object?.shown ?? [] }
      this.#objects.set(name.toLowerCase(), object)
    }
    object.versions.push(version)
    this.#changed(object)
    return version
  }

  /** Changes a version's attributes (or the latest version's) and moves `updated` unless that is given too. */
  update(name: string, attributes: Partial<Attributes>, id?: string, tags?: Record<string, string>) {
    const found = this.version(name, id)
    if (!found) return undefined
    Object.assign(found.version.attributes, { updated: seconds(this.#clock.now()) }, defined(attributes))
    if (tags) found.version.tags = tags
    this.#changed(found.object)
    return found
  }

  object(name: string): StoredObject<C> | undefined {
    const object = this.#objects.get(name.toLowerCase())
    return object?.deletedAt === undefined ? object : undefined
  }

  deleted(name: string): (StoredObject<C> & { deletedAt: number }) | undefined {
    const object = this.#objects.get(name.toLowerCase())
    return object?.deletedAt === undefined ? undefined : { ...object, deletedAt: object.deletedAt }
  }

  /** A version by id, or the newest one, be it enabled or not. */
  version(name: string, id?: string): { object: StoredObject<C>; version: Version<C> } | undefined {
    const object = this.object(name)
    const version = id ? object?.versions.find((one) => one.id === id.toLowerCase()) : object?.versions.at(-1)
    return object && version && { object, version }
  }

  delete(name: string): boolean {
    const object = this.object(name)
    if (!object) return false
    object.deletedAt = seconds(this.#clock.now())
    this.#changed(object)
    return true
  }

  recover(name: string): boolean {
    const object = this.#objects.get(name.toLowerCase())
    if (object?.deletedAt === undefined) return false
    delete object.deletedAt
    this.#changed(object)
    return true
  }

  purge(name: string): boolean {
    return this.deleted(name) !== undefined && this.#objects.delete(name.toLowerCase())
  }

  /** What LIST shows, by name: the latest version of each object, now or as of a moment in the past. */
  list(moment?: Moment): { name: string; version: Version<C> }[] {
    return [...this.#objects]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, { name, shown }]) => {
        const state = moment
          ? shown.findLast((one) => ('at' in moment ? one.at <= moment.at : one.change <= moment.change))
          : shown.at(-1)
        return state?.version ? [{ name, version: state.version }] : []
      })
  }

  #changed(object: StoredObject<C>): void {
    const latest = object.deletedAt === undefined ? object.versions.at(-1) : undefined
    object.shown.push({
      at: this.#clock.now(),
      change: ++this.#clock.changes,
      version: latest && { ...latest, attributes: { ...latest.attributes } },
    })
    if (object.shown.length > shownLimit) object.shown.shift()
  }
}

/** Without the entries whose value is undefined, which would otherwise overwrite. */
function defined<T extends object>(values: T | undefined): T | undefined {
  return values && (Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T)
}
