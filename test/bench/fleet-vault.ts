import type { NamedVault } from '../../sidecar/app.ts'
import { VaultFailure, type Attributes, type FailureKind } from '../../sidecar/vault/vault.ts'
import type { FleetClock } from './fleet-clock.ts'

/** Key Vault's documented limit ({@link https://learn.microsoft.com/azure/key-vault/general/service-limits}). */
export const limit = { requests: 4000, window: 10_000 }
/** Milliseconds until an answer is there. */
const latency = 20

const page = 25
const name = 'fleet-kv'

export interface FleetVaultOptions {
  clock: FleetClock
  secrets: number
  mayList: boolean
}

/** One vault that counts what a fleet asks of it, second by second, and throttles as Key Vault does: without `Retry-After`. */
export class FleetVault implements NamedVault {
  readonly name = name
  /** Requests in each second, those that were throttled too. */
  readonly perSecond: number[] = []
  polls = 0
  lists = 0
  throttled = 0
  isDown = false
  /** Counts the rotations: the secrets' versions. */
  generation = 1
  readonly #options: FleetVaultOptions
  #rotatedAt: number
  #window = { number: -1, requests: 0 }

  constructor(options: FleetVaultOptions) {
    this.#options = options
    this.#rotatedAt = options.clock.now() - 86_400_000
  }

  get requests(): number {
    return this.perSecond.reduce((sum, count = 0) => sum + count, 0)
  }

  /** New versions of all secrets. */
  rotate(): void {
    this.generation++
    this.#rotatedAt = this.#options.clock.now()
  }

  beginPoll(): void {
    this.polls++
  }

  /** Takes a request in. @throws what the vault answers instead of its objects */
  async ask(): Promise<void> {
    const { clock } = this.#options
    const second = Math.floor(clock.elapsed() / 1000)
    this.perSecond[second] = (this.perSecond[second] ?? 0) + 1
    const number = Math.floor(clock.elapsed() / limit.window)
    if (this.#window.number !== number) this.#window = { number, requests: 0 }
    const isThrottled = ++this.#window.requests > limit.requests
    await clock.wait(latency)
    if (this.isDown) throw failure('unavailable')
    if (isThrottled) this.throttled++
    if (isThrottled) throw failure('throttled')
  }

  async list() {
    this.lists++
    await this.ask()
    if (!this.#options.mayList) throw failure('forbidden')
    const names = Array.from({ length: this.#options.secrets }, (_, index) => `secret-${index}`)
    return { items: new Map(names.map((one) => [one, this.#attributes()])), pages: Math.ceil(names.length / page) }
  }

  async get(_type: unknown, object: string) {
    await this.ask()
    const answeredAt = Math.floor(this.#options.clock.now() / 1000) * 1000
    const version = `${object}-${this.generation}`
    return { type: 'secret' as const, name: object, version, attributes: this.#attributes(), content: { secret: version }, answeredAt } // prettier-ignore
  }

  versions(): never {
    throw new Error('nobody in the fleet asked for a history')
  }

  #attributes(): Attributes {
    const seconds = Math.floor(this.#rotatedAt / 1000)
    return { enabled: true, created: seconds, updated: seconds }
  }
}

const failure = (kind: FailureKind) => new VaultFailure(kind, `vault ${name}: ${kind}`)
