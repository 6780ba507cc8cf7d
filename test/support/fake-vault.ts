import { createHash } from 'node:crypto'

import type { ObjectType } from '../../shared/objects/formats.ts'
import type { NamedVault } from '../../sidecar/sidecar.ts'
import {
  mostVersions,
  VaultFailure,
  type Attributes,
  type FailureKind,
  type Fetched,
  type ListedVersion,
  type ListOptions,
} from '../../shared/vault/store.ts'

export type Operation = 'list' | 'get' | 'versions'

/** A request as the fake vault received it. */
export interface VaultCall {
  operation: Operation
  type: ObjectType
  name?: string
  version?: string
}

interface Version {
  version: string
  value: string
  attributes: Attributes
  /** When it became the newest version, in milliseconds. */
  from: number
}

/** What happens to a request instead of an answer. */
export type Fault = { kind: FailureKind; retryAfter?: number } | { hang: number }

export interface FakeVaultOptions {
  name?: string
  now: () => number
  /** For requests that hang. */
  wait: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** A vault in this process that behaves like Key Vault: times in whole seconds, pages of 25, lists without versions. */
export class FakeVault implements NamedVault {
  readonly name: string
  readonly asked: VaultCall[] = []
  polls = 0
  mayList = true
  /** The number of other secrets in the vault, which make lists longer. */
  others = 0
  /** Returns the fault of a request; if undefined, it is answered. */
  fault: (asked: VaultCall) => Fault | undefined = () => undefined
  /** How a list spells names, by the name in lower case; others are in lower case. */
  readonly spelled = new Map<string, string>()
  /** Called before each request is answered, to change something in the middle of a poll. */
  before: (asked: VaultCall) => void = () => undefined
  /** How far lists lag behind reads, in milliseconds. */
  lag = 0
  /** Returns the attributes that a list shows of a version. */
  listed = (attributes: Attributes): Attributes => attributes
  inFlight = 0
  hanging = 0
  readonly #options: FakeVaultOptions
  readonly #objects = new Map<string, Version[]>()
  readonly #gone = new Set<string>()
  readonly #tags = new Map<string, Record<string, string>>()
  #serial = 0

  constructor(options: FakeVaultOptions) {
    this.name = options.name ?? 'my-kv'
    this.#options = options
  }

  beginPoll(): void {
    this.polls++
  }

  close(): void {}

  /** Adds a version, which is the newest at once. */
  set(
    name: string,
    value: string,
    {
      type = 'secret',
      tags,
      ...attributes
    }: Partial<Attributes> & { type?: ObjectType; tags?: Record<string, string> } = {},
  ): string {
    const now = this.#options.now()
    const seconds = Math.floor(now / 1000)
    const version = createHash('md5').update(`${name} ${++this.#serial}`).digest('hex')
    const versions = this.#objects.get(keyOf(type, name)) ?? []
    versions.push({
      version,
      value,
      from: now,
      attributes: { enabled: true, created: seconds, updated: seconds, ...attributes },
    })
    this.#objects.set(keyOf(type, name), versions)
    this.#gone.delete(keyOf(type, name))
    if (tags) this.#tags.set(keyOf(type, name), tags)
    return version
  }

  /** Changes the newest version's attributes, as an update of its properties does. */
  update(name: string, attributes: Partial<Attributes>, type: ObjectType = 'secret'): void {
    const version = this.#objects.get(keyOf(type, name))?.at(-1)
    if (version)
      version.attributes = { ...version.attributes, updated: Math.floor(this.#options.now() / 1000), ...attributes }
  }

  /** Replaces the tags, as an update of its properties does. */
  tag(name: string, tags: Record<string, string>, type: ObjectType = 'secret'): void {
    this.#tags.set(keyOf(type, name), tags)
    this.update(name, {}, type)
  }

  tags(name: string, type: ObjectType = 'secret'): Record<string, string> {
    return this.#tags.get(keyOf(type, name)) ?? {}
  }

  delete(name: string, type: ObjectType = 'secret'): void {
    this.#gone.add(keyOf(type, name))
  }

  recover(name: string, type: ObjectType = 'secret'): void {
    this.#gone.delete(keyOf(type, name))
  }

  /** Returns the value that a read would return; undefined if there is none. */
  value(name: string, type: ObjectType = 'secret'): string | undefined {
    return this.#gone.has(keyOf(type, name)) ? undefined : this.#objects.get(keyOf(type, name))?.at(-1)?.value
  }

  count(operation: Operation): number {
    return this.asked.filter((asked) => asked.operation === operation).length
  }

  /** Whether every request in progress hangs. */
  get isBlocked(): boolean {
    return this.inFlight > 0 && this.inFlight === this.hanging
  }

  async list(
    type: ObjectType,
    signal: AbortSignal,
    { maxPages = 40, onItem }: ListOptions = {},
  ): Promise<{ items: Map<string, Attributes>; pages: number }> {
    return this.#answer({ operation: 'list', type }, signal, () => {
      if (!this.mayList) throw failure('forbidden', 'list')
      const items = new Map<string, Attributes>()
      for (const [key, versions] of this.#objects) {
        const [itsType, name = ''] = key.split(' ')
        const seen = versions.findLast(({ from }) => from <= this.#options.now() - this.lag)
        if (itsType !== type || !seen || this.#gone.has(key)) continue
        items.set(name, this.listed({ ...seen.attributes }))
        onItem?.({ name: this.spelled.get(name) ?? name, tags: this.tags(name, type) })
      }
      const pages = Math.max(1, Math.ceil((items.size + this.others) / 25))
      if (pages > maxPages)
        throw new VaultFailure('malformed', `vault my-kv: more than ${maxPages} pages`, { code: 'TooManyPages' })
      return { items, pages }
    })
  }

  async get(type: ObjectType, name: string, version: string | undefined, signal: AbortSignal): Promise<Fetched> {
    return this.#answer({ operation: 'get', type, name, ...(version !== undefined && { version }) }, signal, () => {
      const versions = this.#versions(type, name)
      const found = version === undefined ? versions.at(-1) : versions.find((one) => one.version === version)
      if (!found) throw failure('gone', name)
      if (type === 'secret' && !found.attributes.enabled) throw failure('disabled', name)
      const answeredAt = Math.floor(this.#options.now() / 1000) * 1000
      return {
        type,
        name,
        version: found.version,
        attributes: { ...found.attributes },
        content: { secret: found.value },
        answeredAt,
      }
    })
  }

  async versions(type: ObjectType, name: string, signal: AbortSignal, most = mostVersions): Promise<ListedVersion[]> {
    return this.#answer({ operation: 'versions', type, name }, signal, () => {
      const versions = this.#versions(type, name)
      if (versions.length > most) {
        throw new VaultFailure('selection', `vault my-kv, ${name}: more than ${most}`, { code: 'TooManyPages' })
      }
      return versions.map(({ version, attributes }) => ({ version, attributes: { ...attributes } }))
    })
  }

  /** Versions of objects that do not exist are not listed, as in the service. */
  #versions(type: ObjectType, name: string): Version[] {
    return this.#gone.has(keyOf(type, name)) ? [] : (this.#objects.get(keyOf(type, name)) ?? [])
  }

  async #answer<T>(asked: VaultCall, signal: AbortSignal, give: () => T): Promise<T> {
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
  new VaultFailure(kind, `vault my-kv, ${what}: ${kind}`, {
    code: kind,
    ...(retryAfter !== undefined && { retryAfter }),
  })
