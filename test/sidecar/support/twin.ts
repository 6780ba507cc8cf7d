import { createHash } from 'node:crypto'

import type { ObjectType } from '../../../shared/object-spec.ts'
import type { NamedVault } from '../../../sidecar/app.ts'
import { VaultFailure, type Attributes, type FailureKind, type Fetched, type ListedVersion } from '../../../sidecar/vault/vault.ts' // prettier-ignore

export type Operation = 'list' | 'get' | 'versions'

/** A request as the twin saw it. */
export interface Asked {
  operation: Operation
  type: ObjectType
  name?: string
  version?: string
}

interface Version {
  version: string
  value: string
  attributes: Attributes
  /** When it became the newest, milliseconds. */
  from: number
}

/** What a request meets instead of an answer. */
export type Fault = { kind: FailureKind; retryAfter?: number } | { hang: number }

export interface TwinOptions {
  name?: string
  now: () => number
  /** For requests that hang. */
  wait: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** A vault in this process that behaves as Key Vault does: times in whole seconds, pages of 25, lists without versions. */
export class Twin implements NamedVault {
  readonly name: string
  readonly asked: Asked[] = []
  polls = 0
  mayList = true
  /** How many other secrets the vault holds: they make lists longer. */
  others = 0
  /** Says what a request meets; undefined: it is answered. */
  fault: (asked: Asked) => Fault | undefined = () => undefined
  /** Called before each request is answered: whatever changes in the middle of a poll. */
  before: (asked: Asked) => void = () => undefined
  /** How far lists lag behind reads, in milliseconds. */
  lag = 0
  /** What a list shows of a version's attributes. */
  listed = (attributes: Attributes): Attributes => attributes
  inFlight = 0
  hanging = 0
  readonly #options: TwinOptions
  readonly #objects = new Map<string, Version[]>()
  readonly #gone = new Set<string>()
  #serial = 0

  constructor(options: TwinOptions) {
    this.name = options.name ?? 'my-kv'
    this.#options = options
  }

  beginPoll(): void {
    this.polls++
  }

  /** Adds a version, which is the newest at once. */
  set(
    name: string,
    value: string,
    { type = 'secret', ...attributes }: Partial<Attributes> & { type?: ObjectType } = {},
  ): string {
    // prettier-ignore
    const now = this.#options.now()
    const seconds = Math.floor(now / 1000)
    const version = createHash('md5').update(`${name} ${++this.#serial}`).digest('hex')
    const versions = this.#objects.get(keyOf(type, name)) ?? []
    versions.push({ version, value, from: now, attributes: { enabled: true, created: seconds, updated: seconds, ...attributes } }) // prettier-ignore
    this.#objects.set(keyOf(type, name), versions)
    this.#gone.delete(keyOf(type, name))
    return version
  }

  /** Changes the newest version's attributes, as an update of its properties does. */
  update(name: string, attributes: Partial<Attributes>, type: ObjectType = 'secret'): void {
    const version = this.#objects.get(keyOf(type, name))?.at(-1)
    if (version) version.attributes = { ...version.attributes, updated: Math.floor(this.#options.now() / 1000), ...attributes } // prettier-ignore
  }

  delete(name: string, type: ObjectType = 'secret'): void {
    this.#gone.add(keyOf(type, name))
  }

  recover(name: string, type: ObjectType = 'secret'): void {
    this.#gone.delete(keyOf(type, name))
  }

  /** The value that a read gives now; undefined where there is none. */
  value(name: string, type: ObjectType = 'secret'): string | undefined {
    return this.#gone.has(keyOf(type, name)) ? undefined : this.#objects.get(keyOf(type, name))?.at(-1)?.value
  }

  count(operation: Operation): number {
    return this.asked.filter((asked) => asked.operation === operation).length
  }

  /** Whether every request under way hangs. */
  get isBlocked(): boolean {
    return this.inFlight > 0 && this.inFlight === this.hanging
  }

  async list(type: ObjectType, signal: AbortSignal): Promise<{ items: Map<string, Attributes>; pages: number }> {
    return this.#answer({ operation: 'list', type }, signal, () => {
      if (!this.mayList) throw failure('forbidden', 'list')
      const items = new Map<string, Attributes>()
      for (const [key, versions] of this.#objects) {
        const [itsType, name = ''] = key.split(' ')
        const seen = versions.findLast(({ from }) => from <= this.#options.now() - this.lag)
        if (itsType === type && seen && !this.#gone.has(key)) items.set(name, this.listed({ ...seen.attributes }))
      }
      return { items, pages: Math.max(1, Math.ceil((items.size + this.others) / 25)) }
    })
  }

  async get(type: ObjectType, name: string, version: string | undefined, signal: AbortSignal): Promise<Fetched> {
    return this.#answer({ operation: 'get', type, name, ...(version !== undefined && { version }) }, signal, () => {
      const versions = this.#versions(type, name)
      const found = version === undefined ? versions.at(-1) : versions.find((one) => one.version === version)
      if (!found) throw failure('gone', name)
      if (type === 'secret' && !found.attributes.enabled) throw failure('disabled', name)
      const answeredAt = Math.floor(this.#options.now() / 1000) * 1000
      return { type, name, version: found.version, attributes: { ...found.attributes }, content: { secret: found.value }, answeredAt } // prettier-ignore
    })
  }

  async versions(type: ObjectType, name: string, signal: AbortSignal): Promise<ListedVersion[]> {
    return this.#answer({ operation: 'versions', type, name }, signal, () =>
      this.#versions(type, name).map(({ version, attributes }) => ({ version, attributes: { ...attributes } })),
    )
  }

  /** None of what does not exist, as the service lists them. */
  #versions(type: ObjectType, name: string): Version[] {
    return this.#gone.has(keyOf(type, name)) ? [] : (this.#objects.get(keyOf(type, name)) ?? [])
  }

  async #answer<T>(asked: Asked, signal: AbortSignal, give: () => T): Promise<T> {
    this.inFlight++
    try {
      await Promise.resolve()
      this.asked.push(asked)
      this.before(asked)
      const fault = this.fault(asked)
      if (fault && 'hang' in fault) {
        this.hanging++
        await this.#options.wait(fault.hang, signal).finally(() => this.hanging--)
        throw failure('timeout', asked.name ?? 'list')
      }
      if (fault) throw failure(fault.kind, asked.name ?? 'list', fault.retryAfter)
      return give()
    } finally {
      this.inFlight--
    }
  }
}

const keyOf = (type: ObjectType, name: string) => `${type} ${name.toLowerCase()}`

const failure = (kind: FailureKind, what: string, retryAfter?: number) =>
  new VaultFailure(kind, `vault my-kv, ${what}: ${kind}`, { code: kind, ...(retryAfter !== undefined && { retryAfter }) }) // prettier-ignore
