import type { WatchedVault } from '../../coordinator/watch/watcher.ts'
import type { NamedVault } from '../../sidecar/sidecar.ts'
import { VaultFailure, type Attributes, type ListOptions } from '../../shared/vault/store.ts'
import { vaultRoute } from '../emulator/call.ts'
import { Journal } from '../emulator/journal.ts'
import { answerVault } from '../emulator/vault-api.ts'
import { Vault as EmulatedVault } from '../emulator/vault.ts'
import type { FleetClock } from './fleet-clock.ts'

/** Key Vault's documented limit ({@link https://learn.microsoft.com/azure/key-vault/general/service-limits}). */
export const limit = { requests: 4000, window: 10_000 }
/** Milliseconds until an answer. */
const latency = 20

const statuses = { throttled: 429, unavailable: 503, forbidden: 403 }
const name = 'fleet-kv'
const day = 86_400_000
/** Who the coordinator is for the journal. */
const coordinatorClient = 'coordinator'

export interface FleetVaultOptions {
  clock: FleetClock
  /** At most 25, so that lists have one page. */
  secrets: number
  mayList: boolean
}

/** The emulator's answer, with times in whole seconds. */
interface Item {
  id: string
  value?: string
  attributes: { enabled: boolean; created: number; updated: number }
}

/**
 * One vault of the emulator, asked in this process, for TLS would not wait for virtual time. The emulator's journal counts what
 * the fleet asks; what is added is that the vault throttles as Key Vault does: without `Retry-After`.
 */
export class FleetVault implements NamedVault {
  readonly name = name
  /** The requests in each second, including those that were throttled. */
  readonly perSecond: number[] = []
  polls = 0
  isDown = false
  /** Called with each request of the coordinator, before it is answered. */
  onWatched = (): void => undefined
  readonly #options: FleetVaultOptions
  readonly #vault: EmulatedVault
  readonly #journal = new Journal(1)
  readonly #names: readonly string[]
  #throttled = 0
  #watching = 0
  #generation = 0
  readonly #values = new Map<string, string>()
  #window = { number: -1, requests: 0 }

  constructor(options: FleetVaultOptions) {
    const { clock, secrets } = options
    this.#options = options
    // The initial secrets are a day old.
    this.#vault = new EmulatedVault(name, { now: () => clock.now() - (this.#generation === 1 ? day : 0), changes: 0 })
    this.#names = Array.from({ length: secrets }, (_, index) => `secret-${index}`)
    const start = clock.now()
    this.#journal.subscribe(({ time, status, client }) => {
      const second = Math.floor((time - start) / 1000)
      this.perSecond[second] = (this.perSecond[second] ?? 0) + 1
      if (status === 429) this.#throttled++
      if (client !== coordinatorClient) return
      this.#watching++
      this.onWatched()
    })
    this.rotate()
  }

  get requests(): number {
    return this.#journal.count('secrets.*')
  }

  get lists(): number {
    return this.#journal.count('secrets.list')
  }

  /** Those of the coordinator among all requests. */
  get watching(): number {
    return this.#watching
  }

  get throttled(): number {
    return this.#throttled
  }

  /** Creates new versions of secrets, by default of all of them. */
  rotate(names: readonly string[] = this.#names): void {
    this.#generation++
    for (const one of names) {
      this.#values.set(one, `${one} ${this.#generation}`)
      this.#vault.setSecret(one, `${one} ${this.#generation}`)
    }
  }

  /** The newest value of a secret. */
  value = (name: string): string | undefined => this.#values.get(name)

  beginPoll(): void {
    this.polls++
  }

  async list(_type?: unknown, _abort?: unknown, { onItem }: ListOptions = {}, client?: string) {
    const { value } = (await this.ask('/secrets', client)) as { value: Item[] }
    const items = value.map(({ id, attributes }) => [nameOf(id), attributesOf(attributes)] as const)
    for (const [name] of items) onItem?.({ name, tags: {} })
    return { items: new Map(items), pages: 1 }
  }

  async get(_type: unknown, object: string) {
    const { id, value = '', attributes } = (await this.ask(`/secrets/${object}`)) as Item
    const answeredAt = Math.floor(this.#options.clock.now() / 1000) * 1000
    return {
      ...{ type: 'secret' as const, name: object, version: nameOf(id), answeredAt },
      ...{ attributes: attributesOf(attributes), content: { secret: value } },
    }
  }

  versions(): never {
    throw new Error('no pod of the fleet requested a history')
  }

  /** The vault as the coordinator's identity sees it. */
  forCoordinator = (): WatchedVault => ({
    list: (type, abort, options) => this.list(type, abort, options, coordinatorClient),
    versions: async (_type, object) => {
      const { value } = (await this.ask(`/secrets/${object}/versions`, coordinatorClient)) as { value: Item[] }
      return value.map(({ id, attributes }) => ({ version: nameOf(id), attributes: attributesOf(attributes) }))
    },
    close: () => undefined,
  })

  /** Returns the body of the vault's answer to a GET. @throws if the status is not 200 */
  async ask(path: string, client?: string): Promise<unknown> {
    const { clock, mayList } = this.#options
    const route = vaultRoute({ method: 'GET', path })
    if (!route) throw new TypeError(`nothing is at ${path}`)
    const failed = this.#isThrottled()
      ? 'throttled'
      : this.isDown
        ? 'unavailable'
        : route.verb === 'list' && !mayList
          ? 'forbidden'
          : undefined
    const status = failed ? statuses[failed] : 200
    const entry = { time: clock.now(), operation: `secrets.${route.verb}`, vault: name, status }
    this.#journal.add({ ...entry, ...(client !== undefined && { client }) })
    await clock.wait(latency)
    if (failed) throw new VaultFailure(failed, `vault ${name}: ${failed}`)
    const query = new URLSearchParams({ 'api-version': '7.6' })
    const call = { method: 'GET', host: `${name}.vault.test`, path, query, headers: {}, body: '' }
    return (await answerVault(call, route, this.#vault)).body
  }

  #isThrottled(): boolean {
    const number = Math.floor(this.#options.clock.elapsed() / limit.window)
    if (this.#window.number !== number) this.#window = { number, requests: 0 }
    return ++this.#window.requests > limit.requests
  }
}

/** The last part of an ID: a name in a list, else a version. */
const nameOf = (id: string): string => id.split('/').at(-1) ?? ''
const attributesOf = ({ enabled, created, updated }: Item['attributes']): Attributes => ({ enabled, created, updated })
