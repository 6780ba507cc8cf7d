import type { Settings } from '../../shared/settings/codec.ts'
import type { FakeVault } from './fake-vault.ts'
import { findSpec } from './find-spec.ts'
import { SidecarModel } from './sidecar-model.ts'

const wanted = { app: 'web' }
const group = 'found'

/** A pod that also has a find, whose matches come and go. */
export class FindModel extends SidecarModel {
  /** Secrets of the first vault that may have the tag. */
  readonly pool: readonly string[]
  readonly #most: number
  /** Every value, oldest first. */
  readonly #values = new Map<string, string[]>()
  readonly #newest = new Map<string, number>()
  readonly #seen = new Set<string>()
  /** When each last lacked the tag or did not exist: the number of the check, and the time. */
  readonly #lacked = new Map<string, { check: number; at: number }>()
  #checks = 0
  #rotations = 0

  /** @param most of the pool that may be selected */
  constructor(objects: string[], pool: readonly string[], most: number, overrides: Partial<Settings> = {}) {
    super(objects, {
      find: { maxPages: 10, maxMatches: most, finds: [findSpec({ name: 'p*', tags: wanted, group })] },
      templates: { list: '{% for one in groups.found %}{{ one.name }}={{ one.value }} {% endfor %}' },
      ...overrides,
    })
    this.pool = pool
    this.#most = most
    for (const name of pool) this.rotateFound(name)
    this.tag(pool[0]!, true)
  }

  get #vault(): FakeVault {
    return this.pod.vault
  }

  rotateFound(name: string): void {
    const value = `${name}-${++this.#rotations}`
    this.#vault.set(name, value)
    this.#values.set(name, [...(this.#values.get(name) ?? []), value])
  }

  override async begin(): Promise<void> {
    await super.begin()
    this.check()
  }

  tag(name: string, isWanted: boolean): void {
    this.#noteLack(name)
    this.#vault.tag(name, isWanted ? wanted : { app: 'api' })
  }

  lose(name: string): void {
    this.#vault.delete(name)
  }

  override check(): void {
    super.check()
    this.#checks++
    for (const name of this.pool) this.#noteLack(name)
    const files = this.pod.files()
    for (const name of this.pool) this.#checkFound(name, files[name])
    if (files['list'] === undefined) return
    const present = this.pool.filter((name) => files[name] !== undefined)
    const expected = present.map((name) => `${name}=${files[name]} `).join('')
    if (files['list'] !== expected) throw new Error(`the list is ${files['list']}; the files are ${expected}`)
    if (present.length > this.#most) throw new Error(`${present.length} were found, more than ${this.#most}`)
  }

  override async converge(): Promise<void> {
    for (const [index, name] of this.pool.entries()) {
      this.#vault.recover(name)
      this.#vault.update(name, { enabled: true })
      this.tag(name, index < this.#most)
    }
    await super.converge()
    const files = this.pod.files()
    for (const [index, name] of this.pool.entries()) {
      const held = index < this.#most ? this.#values.get(name)?.at(-1) : undefined
      if (files[name] !== held) throw new Error(`${name} stays ${files[name]}; the vault shows ${held}`)
    }
  }

  #noteLack(name: string): void {
    const isThere = this.#vault.value(name) !== undefined && this.#vault.tags(name)['app'] === wanted.app
    if (!isThere) this.#lacked.set(name, { check: this.#checks, at: this.pod.clock.elapsed() })
  }

  #checkFound(name: string, value: string | undefined): void {
    if (value === undefined) {
      const { check, at } = this.#lacked.get(name) ?? { check: -Infinity, at: -Infinity }
      // A poll under way may have a list of before.
      const isOver = this.#checks - check > 2 && this.pod.clock.elapsed() - at > 60_000
      if (this.#seen.has(name) && isOver) throw new Error(`${name} was lost`)
      this.#seen.delete(name)
      return
    }
    this.#seen.add(name)
    const age = this.#values.get(name)?.indexOf(value) ?? -1
    if (age === -1) throw new Error(`${name} is ${value}, which the vault never held`)
    if (age < (this.#newest.get(name) ?? 0)) throw new Error(`${name} went back to ${value}`)
    this.#newest.set(name, age)
  }
}
