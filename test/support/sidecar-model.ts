import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Settings } from '../../shared/settings/codec.ts'
import type { SidecarDependencies } from '../../sidecar/sidecar.ts'
import { writeSet } from '../../sidecar/volume/set-folder.ts'
import type { Manifest } from '../../sidecar/volume/manifest.ts'
import { TestPod } from './sidecar-pod.ts'
import { settingsWith } from './settings.ts'
import type { FakeVault } from './fake-vault.ts'

/** Where the sidecar's process ends within the next switch. */
export type Crash = 'while it writes' | 'after the switch'

const lifetime = 86_400_000

/** A pod, its vaults and its app over time, and the invariants that hold whatever happens to them. */
export class SidecarModel {
  readonly pod: TestPod
  /** Every value of an object, oldest first. */
  readonly #history = new Map<string, string[]>()
  /** The content of each vault after each of its changes, by object. */
  readonly #moments = new Map<FakeVault, Map<string, string>[]>()
  /** IDs of the notifications of all switches except the first. */
  readonly #announced = new Set<string>()
  readonly #newest = new Map<string, number>()
  #crash: Crash | undefined
  /** Objects that failed at a switch, and have been neither read nor confirmed since. */
  readonly #lastGood = new Set<string>()
  /** The number of announced switches when the process last ended in the middle of one. */
  #untold = 0
  #served = false
  /** Lists were refused at some time, so not everything could be confirmed. */
  #wasRefused = false
  #serial = 0

  constructor(objects: string[], overrides: Partial<Settings> = {}) {
    this.pod = new TestPod(settingsWith(objects, overrides))
    this.pod.wrapVolume = (volume) => this.#wrap(volume)
    for (const { vault, name } of this.pod.settings.objects) this.edit(this.#vaultAt(vault), [name])
  }

  get vaults(): FakeVault[] {
    return [...this.pod.vaults.values()]
  }

  names(fake: FakeVault): string[] {
    return this.pod.settings.objects.filter(({ vault }) => this.#vaultAt(vault) === fake).map(({ name }) => name)
  }

  async begin(): Promise<void> {
    await this.pod.advance(lifetime)
    await this.pod.start()
  }

  /** Rotates objects at one moment. */
  edit(vault: FakeVault, names: readonly string[]): void {
    for (const name of names) {
      const value = this.#nextValue(name)
      vault.set(name, this.#hasField(name) ? JSON.stringify({ other: this.#serial, field: value }) : value)
      this.#history.set(name, [...(this.#history.get(name) ?? []), value])
    }
    this.note(vault)
  }

  /** Every fourth value of an object that a variable is read from is one that no variable can have, but not the first. */
  #nextValue(name: string): string {
    const serial = ++this.#serial
    const isSpoiled = serial % 4 === 0 && this.#history.has(name) && this.#hasVariable(name)
    return isSpoiled ? `${name}-${serial}'` : `${name}-${serial}`
  }

  #hasVariable(name: string): boolean {
    return Object.values(this.pod.settings.variables ?? {}).includes(name)
  }

  /** Call this after every change of a vault. */
  note(vault: FakeVault): void {
    const held = this.names(vault).flatMap((name) => {
      const value = this.#held(vault, name)
      return value === undefined ? [] : [[name, value] as const]
    })
    this.#moments.set(vault, [...(this.#moments.get(vault) ?? []), new Map(held)])
  }

  crashAtNextSwitch(crash: Crash): void {
    this.#crash = crash
  }

  async restart(): Promise<void> {
    this.#crash = undefined
    this.pod.stop()
    await this.pod.start()
  }

  /** @throws Error for a broken invariant */
  check(): void {
    const { pod } = this
    const files = pod.files()
    if (Object.keys(files).length > 0) this.#served = true
    if (!this.#served) return
    if (pod.end !== undefined) throw new Error(`the process ended: ${JSON.stringify(pod.end)}`)
    for (const { name } of pod.settings.objects) this.#checkFile(name, files[name])
    this.#checkBundles(files)
    this.#checkVariables(files)
    for (const vault of this.vaults) this.#checkMoment(vault, files)
    for (const { id } of pod.notifications)
      if (!this.#announced.has(id)) throw new Error('the app was notified without a change')
  }

  /** Ends all faults, and checks that the pod recovers. */
  async converge(): Promise<void> {
    const { pod } = this
    this.#crash = undefined
    for (const vault of this.vaults) {
      vault.fault = () => undefined
      vault.before = () => undefined
      vault.mayList = true
      for (const name of this.names(vault)) {
        vault.recover(name)
        vault.update(name, { enabled: true })
        while (this.#hasVariable(name) && vault.value(name)?.includes("'")) this.edit(vault, [name])
      }
      this.note(vault)
    }
    pod.annotations = { ...pod.annotations, suspend: '' }
    pod.appListens = true
    if (pod.sidecar === undefined || pod.end !== undefined) await this.restart()
    await pod.advance(12 * 60_000)
    this.check()
    for (const vault of this.vaults) {
      for (const name of this.names(vault)) {
        const [held, found] = [this.#held(vault, name), pod.files()[name]]
        if (held !== found) throw new Error(`${name} stays ${found}; the vault holds ${held}`)
      }
    }
    const { notification } = JSON.parse(readFileSync(join(pod.mount, '..data/..manifest.json'), 'utf8')) as Manifest
    if (notification && pod.notifications.at(-1)?.id !== notification.id)
      throw new Error('the app was not notified of the last change')
    if (notification && this.#read('..notified') !== notification.id)
      throw new Error('the delivered notification is not recorded')
  }

  /** Whether only the property `field` of the object is written. */
  #hasField(name: string): boolean {
    return this.pod.settings.objects.some((object) => object.name === name && object.property === 'field')
  }

  /** Returns the vault's content for an object's file. */
  #held(vault: FakeVault, name: string): string | undefined {
    const value = vault.value(name)
    if (value === undefined || !this.#hasField(name)) return value
    return (JSON.parse(value) as { field: string }).field
  }

  /** Each variable has the value of its file, and no file that one is read from has a value that none can have. */
  #checkVariables(files: Record<string, string>): void {
    for (const [name, path] of Object.entries(this.pod.settings.variables ?? {})) {
      const value = files[path]
      const expected = value === undefined ? '' : `${name}='${value}'\n`
      const found = this.#read(`..data/..env/${name}`)
      if (found !== expected) throw new Error(`${name} is ${found}, and ${path} is ${value}`)
      if (value?.includes("'")) throw new Error(`${path} is ${value}, which no variable can have`)
    }
  }

  /** Bundles of JSON contain the values of the other files. */
  #checkBundles(files: Record<string, string>): void {
    for (const [path, bundle] of Object.entries(this.pod.settings.bundles)) {
      if (typeof bundle === 'string' || bundle.format !== 'json') continue
      const expected = (bundle.only ?? []).flatMap((name) =>
        files[name] === undefined ? [] : [[bundle.names?.[name] ?? name, files[name]]],
      )
      const found = JSON.stringify(JSON.parse(files[path] ?? 'null'))
      if (found !== JSON.stringify(Object.fromEntries(expected))) throw new Error(`${path} is ${found}`)
    }
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
  #checkMoment(vault: FakeVault, files: Record<string, string>): void {
    if (!this.pod.sidecar) return
    const isPolled = this.pod
      .status()
      .vaults.some(({ name, failures, lastSuccess }) => name === vault.name && failures === 0 && lastSuccess)
    if (!this.#isSettled(vault, isPolled)) return
    const failing = this.#failing()
    for (const name of this.names(vault)) {
      if (failing.has(name)) this.#lastGood.add(name)
      else if (isPolled) this.#lastGood.delete(name)
    }
    const names = this.names(vault).filter((name) => files[name] !== undefined && !this.#lastGood.has(name))
    const isHeld = (moment: Map<string, string>) => names.every((name) => moment.get(name) === files[name])
    if (this.#moments.get(vault)?.some(isHeld)) return
    throw new Error(`${names.map((name) => files[name]).join(', ')}: never held by ${vault.name} at one moment`)
  }

  #failing(): Set<string> {
    const { objects = [] } = this.pod.sidecar?.status() ?? {}
    return new Set(objects.flatMap(({ name, problem }) => (problem && name !== undefined ? [name] : [])))
  }

  /** Returns what the log says about the served values of a vault: each poll is responsible for its own vault. */
  #isSettled({ name }: FakeVault, isPolled: boolean): boolean {
    if (this.#wasRefused) return false
    const switches = this.pod.events('switched').slice(this.#untold)
    const last = switches.findLast(({ vault }) => vault === name)
    return last === undefined ? this.#untold === 0 || isPolled : last['settled'] === true
  }

  refuseLists(vault: FakeVault): void {
    vault.mayList = false
    this.#wasRefused = true
  }

  #wrap(volume: SidecarDependencies['volume']): SidecarDependencies['volume'] {
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

  #vaultAt(url: string): FakeVault {
    return this.pod.vaults.get(url) ?? this.pod.vault
  }
}
