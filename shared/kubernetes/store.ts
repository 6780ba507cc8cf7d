/** Estimated memory of an entry besides its text in bytes: maps, string headers, the objects of its value. */
const overhead = 200

interface Entry<T> {
  value: T
  bytes: number
}
interface Space<T> {
  bytes: number
  entries: Map<string, Entry<T>>
}

export interface StoreLimits {
  /** Limits of the estimated memory in bytes of all objects, and of those of one namespace. */
  bytes: number
  bytesPerNamespace: number
}

/** Stores objects by namespace and name within limits, so that no namespace takes the memory of others. */
export class Store<T> {
  readonly #limits: StoreLimits
  readonly #spaces = new Map<string, Space<T>>()
  #bytes = 0

  constructor(limits: StoreLimits) {
    this.#limits = limits
  }

  get(namespace: string, name: string): T | undefined {
    return this.#spaces.get(namespace)?.entries.get(name)?.value
  }

  all(namespace: string): T[] {
    return [...(this.#spaces.get(namespace)?.entries.values() ?? [])].map(({ value }) => value)
  }

  /** Returns the names of a namespace's objects. */
  names(namespace: string): string[] {
    return [...(this.#spaces.get(namespace)?.entries.keys() ?? [])]
  }

  get size(): number {
    return this.#spaces.values().reduce((sum, { entries }) => sum + entries.size, 0)
  }

  /** @returns whether there was room; if not, the name is left without an object */
  set(namespace: string, name: string, value: T): boolean {
    this.delete(namespace, name)
    const bytes = overhead + 2 * (name.length + JSON.stringify(value).length)
    const space = this.#spaces.get(namespace) ?? { bytes: 0, entries: new Map<string, Entry<T>>() }
    // Objects without a namespace may use the total limit.
    const most = namespace === '' ? this.#limits.bytes : this.#limits.bytesPerNamespace
    if (this.#bytes + bytes > this.#limits.bytes || space.bytes + bytes > most) return false
    space.entries.set(name, { value, bytes })
    space.bytes += bytes
    this.#bytes += bytes
    this.#spaces.set(namespace, space)
    return true
  }

  delete(namespace: string, name: string): void {
    const space = this.#spaces.get(namespace)
    const entry = space?.entries.get(name)
    if (space === undefined || entry === undefined) return
    space.entries.delete(name)
    space.bytes -= entry.bytes
    this.#bytes -= entry.bytes
    if (space.entries.size === 0) this.#spaces.delete(namespace)
  }
}
