import type { NamedVault } from '../../sidecar/sidecar.ts'
import { VaultFailure, type Attributes } from '../../shared/vault/store.ts'
import { vaultRoute } from '../emulator/call.ts'
import { Journal } from '../emulator/journal.ts'
import { answerVault } from '../emulator/vault-api.ts'
import { Vault } from '../emulator/vault.ts'
import type { FleetClock } from './fleet-clock.ts'

/** Key Vault's documented limit ({@link https://learn.microsoft.com/azure/key-vault/general/service-limits}). */
export const limit = { requests: 4000, window: 10_000 }
/** Milliseconds until an answer. */
const latency = 20

const statuses = { throttled: 429, unavailable: 503, forbidden: 403 }
const name = 'fleet-kv'
const day = 86_400_000

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
  readonly #options: FleetVaultOptions
  readonly #vault: Vault
  readonly #journal = new Journal(1)
  readonly #names: readonly string[]
  #throttled = 0
  #generation = 0
  #window = { number: -1, requests: 0 }

  constructor(options: FleetVaultOptions) {
    const { clock, secrets } = options
    this.#options = options
    // The initial secrets are a day old.
    this.#vault = new Vault(name, { now: () => clock.now() - (this.#generation === 1 ? day : 0), changes: 0 })
    this.#names = Array.from({ length: secrets }, (_, index) => `secret-${index}`)
    const start = clock.now()
    this.#journal.subscribe(({ time, status }) => {
      const second = Math.floor((time - start) / 1000)
      this.perSecond[second] = (this.perSecond[second] ?? 0) + 1
      if (status === 429) this.#throttled++
    })
    this.rotate()
  }

  get requests(): number {
    return this.#journal.count('secrets.*')
  }

  get lists(): number {
    return this.#journal.count('secrets.list')
  }

  get throttled(): number {
    return this.#throttled
  }

  /** Creates new versions of all secrets. */
  rotate(): void {
    this.#generation++
    for (const one of this.#names) this.#vault.setSecret(one, `${one} ${this.#generation}`)
  }

  beginPoll(): void {
    this.polls++
  }

  async list() {
    const { value } = (await this.ask('/secrets')) as { value: Item[] }
    const items = value.map(({ id, attributes }) => [id.split('/').at(-1) ?? '', attributesOf(attributes)] as const)
    return { items: new Map(items), pages: 1 }
  }

  async get(_type: unknown, object: string) {
    const { id, value = '', attributes } = (await this.ask(`/secrets/${object}`)) as Item
    const answeredAt = Math.floor(this.#options.clock.now() / 1000) * 1000
    return {
      ...{ type: 'secret' as const, name: object, version: id.split('/').at(-1) ?? '', answeredAt },
      ...{ attributes: attributesOf(attributes), content: { secret: value } },
    }
  }

  versions(): never {
    throw new Error('no pod of the fleet requested a history')
  }

  /** Returns the body of the vault's answer to a GET. @throws if the status is not 200 */
  async ask(path: string): Promise<unknown> {
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
    this.#journal.add({ time: clock.now(), operation: `secrets.${route.verb}`, vault: name, status })
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

const attributesOf = ({ enabled, created, updated }: Item['attributes']): Attributes => ({ enabled, created, updated })
