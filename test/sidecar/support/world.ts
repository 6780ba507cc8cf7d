import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Settings } from '../../../shared/settings.ts'
import type { Effects } from '../../../sidecar/app.ts'
import { writeSet } from '../../../sidecar/volume/set-folder.ts'
import type { Manifest } from '../../../sidecar/volume/manifest.ts'
import { TestPod } from './pod.ts'
import { settingsWith } from './settings.ts'
import type { Twin } from './twin.ts'

/** Where the sidecar's process ends within the next switch. */
export type Crash = 'while it writes' | 'after the switch'

const lifetime = 86_400_000

/** A pod, its vaults and its app over time, and what must hold whatever happens to them. */
export class World {
  readonly pod: TestPod
  /** Every value of an object, oldest first. */
  readonly #history = new Map<string, string[]>()
  /** What each vault held after each of its changes, by object. */
  readonly #moments = new Map<Twin, Map<string, string>[]>()
  /** Ids of the notifications of all switches but the first. */
  readonly #announced = new Set<string>()
  readonly #newest = new Map<string, number>()
  #crash: Crash | undefined
  /** Objects that failed at a switch, and have been neither read nor confirmed since. */
  readonly #lastGood = new Set<string>()
  /** How many switches had been told of when the process last ended before it could say how one went. */
  #untold = 0
  #served = false
  /** Lists were refused at some time, so that not everything could be confirmed. */
  #wasRefused = false
  #serial = 0

  constructor(objects: string[], overrides: Partial<Settings> = {}) {
    this.pod = new TestPod(settingsWith(objects, overrides))
    this.pod.wrapVolume = (volume) => this.#wrap(volume)
    for (const { vault, name } of this.pod.settings.objects) this.edit(this.#twin(vault), [name])
  }

  get twins(): Twin[] {
    return [...this.pod.twins.values()]
  }

  names(twin: Twin): string[] {
    return this.pod.settings.objects.filter(({ vault }) => this.#twin(vault) === twin).map(({ name }) => name)
  }

  async begin(): Promise<void> {
    await this.pod.advance(lifetime)
    await this.pod.start()
  }

  /** Rotates objects at one moment. */
  edit(twin: Twin, names: readonly string[]): void {
    for (const name of names) {
      const value = `${name}-${++this.#serial}`
      twin.set(name, value)
      this.#history.set(name, [...(this.#history.get(name) ?? []), value])
    }
    this.note(twin)
  }

  /** To be called after every change of a vault. */
  note(twin: Twin): void {
    const held = this.names(twin).flatMap((name) => {
      const value = twin.value(name)
      return value === undefined ? [] : [[name, value] as const]
    })
    this.#moments.set(twin, [...(this.#moments.get(twin) ?? []), new Map(held)])
  }

  crashAtNextSwitch(crash: Crash): void {
    this.#crash = crash
  }

  async restart(): Promise<void> {
    this.#crash = undefined
    this.pod.stop()
    await this.pod.start()
  }

  /** @throws Error for what must not be */
  check(): void {
    const { pod } = this
    const files = pod.files()
    if (Object.keys(files).length > 0) this.#served = true
    if (!this.#served) return
    if (pod.end !== undefined) throw new Error(`the process ended: ${JSON.stringify(pod.end)}`)
    for (const { name } of pod.settings.objects) this.#checkFile(name, files[name])
    for (const twin of this.twins) this.#checkMoment(twin, files)
    for (const { id } of pod.told) if (!this.#announced.has(id)) throw new Error('the app was told without a change')
  }

  /** Lets everything be well, and checks that it becomes so. */
  async converge(): Promise<void> {
    const { pod } = this
    this.#crash = undefined
    for (const twin of this.twins) {
      twin.fault = () => undefined
      twin.before = () => undefined
      twin.mayList = true
      for (const name of this.names(twin)) {
        twin.recover(name)
        twin.update(name, { enabled: true })
      }
      this.note(twin)
    }
    pod.annotations = { ...pod.annotations, suspend: '' }
    pod.appListens = true
    if (pod.sidecar === undefined || pod.end !== undefined) await this.restart()
    await pod.advance(12 * 60_000)
    this.check()
    for (const twin of this.twins) {
      for (const name of this.names(twin)) {
        const [held, found] = [twin.value(name), pod.files()[name]]
        if (held !== found) throw new Error(`${name} stays ${found}; the vault holds ${held}`)
      }
    }
    const { notification } = JSON.parse(readFileSync(join(pod.mount, '..data/..manifest.json'), 'utf8')) as Manifest
    if (notification && pod.told.at(-1)?.id !== notification.id)
      throw new Error('the app was not told of the last change')
    if (notification && this.#read('..notified') !== notification.id)
      throw new Error('it is not noted that the app was told')
  }

  #checkFile(name: string, value: string | undefined): void {
    const history = this.#history.get(name) ?? []
    if (value === undefined) {
      if (this.pod.settings.onDelete === 'retain') throw new Error(`${name} was lost`)
      return
    }
    const age = history.indexOf(value)
    if (age === -1) throw new Error(`${name} is ${value}, which the vault never held`)
    if (age < (this.#newest.get(name) ?? 0)) throw new Error(`${name} went back to ${value}`)
    this.#newest.set(name, age)
  }

  /** Values that were confirmed by lists were in the vault at one moment; those that could not be read are the last good ones. */
  #checkMoment(twin: Twin, files: Record<string, string>): void {
    if (!this.pod.sidecar) return
    const isPolled = this.pod.status().vaults.some(({ name, failures, lastSuccess }) => name === twin.name && failures === 0 && lastSuccess) // prettier-ignore
    if (!this.#isSettled(twin, isPolled)) return
    const failing = this.#failing()
    for (const name of this.names(twin)) {
      if (failing.has(name)) this.#lastGood.add(name)
      else if (isPolled) this.#lastGood.delete(name)
    }
    const names = this.names(twin).filter((name) => files[name] !== undefined && !this.#lastGood.has(name))
    const isHeld = (moment: Map<string, string>) => names.every((name) => moment.get(name) === files[name])
    if (this.#moments.get(twin)?.some(isHeld)) return
    throw new Error(`${names.map((name) => files[name]).join(', ')}: never held by ${twin.name} at one moment`)
  }

  #failing(): Set<string> {
    const { objects = [] } = this.pod.sidecar?.status() ?? {}
    return new Set(objects.flatMap(({ name, problem }) => (problem && name !== undefined ? [name] : [])))
  }

  /** What the log says of the values of a vault that are served: each poll answers for its own vault. */
  #isSettled({ name }: Twin, isPolled: boolean): boolean {
    if (this.#wasRefused) return false
    const told = this.pod.events('switched').slice(this.#untold)
    const last = told.findLast(({ vault }) => vault === name)
    return last === undefined ? this.#untold === 0 || isPolled : last['settled'] === true
  }

  refuseLists(twin: Twin): void {
    twin.mayList = false
    this.#wasRefused = true
  }

  #wrap(volume: Effects['volume']): Effects['volume'] {
    const never = new Promise<never>(() => undefined)
    return {
      read: () => volume.read(),
      clean: () => volume.clean(),
      notified: () => volume.notified(),
      markNotified: (id) => volume.markNotified(id),
      switchTo: async (files, manifest) => {
        const crash = this.#crash
        this.#crash = undefined
        if (crash === 'while it writes') {
          await writeSet(join(this.pod.mount, '..2001_01_01_00_00_00.0badcafe'), files)
          this.pod.stop()
          return never
        }
        await volume.switchTo(files, manifest)
        for (const name of this.#failing()) this.#lastGood.add(name)
        if (crash !== undefined) this.#untold = this.pod.events('switched').length
        if (manifest.notification) this.#announced.add(manifest.notification.id)
        if (crash === undefined) return
        this.pod.stop()
        return never
      },
    }
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(join(this.pod.mount, path), 'utf8')
    } catch {
      return undefined
    }
  }

  #twin(vault: string): Twin {
    return this.pod.twins.get(vault) ?? this.pod.twin
  }
}
