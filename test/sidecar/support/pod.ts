import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { Test } from 'tap'
import { createLogger } from '../../../shared/log.ts'
import type { ObjectSpec } from '../../../shared/object-spec.ts'
import type { Settings } from '../../../shared/settings.ts'
import { Sidecar, type Effects, type End } from '../../../sidecar/app.ts'
import type { LiveTexts } from '../../../sidecar/live.ts'
import { Registry } from '../../../sidecar/metrics.ts'
import type { Notification } from '../../../sidecar/notify/notification.ts'
import type { Notifier, NotifierStatus } from '../../../sidecar/notify/notifier.ts'
import { rendering } from '../../../sidecar/rendering.ts'
import type { Status } from '../../../sidecar/status.ts'
import { Volume } from '../../../sidecar/volume/volume.ts'
import { settled, VirtualClock } from './clock.ts'
import { memoryFolder } from './folder.ts'
import { settingsWith } from './settings.ts'
import { Twin } from './twin.ts'

/** A pod, and vaults that have held its secrets for a while, each with the value `<name>-1`. */
export async function podWith(
  test: Test,
  objects: (string | ObjectSpec)[],
  overrides: Partial<Settings> = {},
): Promise<TestPod> {
  // prettier-ignore
  const pod = new TestPod(settingsWith(objects, overrides))
  test.teardown(() => pod.remove())
  for (const { vault, type, name } of pod.settings.objects) pod.twins.get(vault)?.set(name, `${name}-1`, { type })
  await pod.advance(86_400_000)
  return pod
}

/** A pod whose sidecar runs in this process: real volume, virtual time, vaults and app in memory. */
export class TestPod {
  readonly clock = new VirtualClock()
  readonly mount = memoryFolder('pod-')
  readonly settings: Settings
  readonly twins = new Map<string, Twin>()
  readonly lines: Record<string, unknown>[] = []
  /** What the app was told. */
  readonly told: Notification[] = []
  annotations: LiveTexts = { refresh: '', suspend: '', 'poll-interval': '', 'log-level': '' }
  /** Whether telling the app works. */
  appListens = true
  random = (): number => 0.5
  /** What stands between the sidecar and its volume. */
  wrapVolume = (volume: Effects['volume']): Effects['volume'] => volume
  sidecar: Sidecar | undefined
  end: End | undefined
  /** The container's termination message. */
  termination = ''
  #process = 0
  #stop = new AbortController()

  constructor(settings: Settings) {
    this.settings = settings
    for (const { vault } of settings.objects) {
      const name = new URL(vault).hostname.split('.')[0] ?? ''
      const options = { name, now: this.clock.trueTime, wait: this.clock.wait }
      if (!this.twins.has(vault)) this.twins.set(vault, new Twin(options))
    }
  }

  get twin(): Twin {
    const [first] = this.twins.values()
    if (!first) throw new Error('there is no vault')
    return first
  }

  /** Starts the sidecar's process, on what the volume holds. */
  async start(role: 'run' | 'once' = 'run'): Promise<void> {
    const id = ++this.#process
    this.#stop = new AbortController()
    this.end = undefined
    this.termination = ''
    const { clock, settings } = this
    const stream = { write: (line: string) => void this.lines.push(JSON.parse(line) as Record<string, unknown>) }
    this.sidecar = new Sidecar(settings, {
      vault: ({ vault }) => this.twins.get(vault) ?? this.twin,
      render: rendering(settings),
      volume: this.wrapVolume(new Volume(this.mount, clock)),
      notifier: ({ onDelivered }) => this.#notifier(id, onDelivered),
      liveTexts: () => this.annotations,
      pod: { name: 'web-0', namespace: 'shop' },
      clock,
      random: () => this.random(),
      notStarted: (reason) => void (this.termination = reason),
      started: () => void (this.termination = ''),
      log: createLogger('debug', stream),
      registry: new Registry(),
    })
    this.#running++
    void this.sidecar.run(role, this.#stop.signal).then((end) => {
      this.#running--
      if (id === this.#process) this.end = end
    })
    await this.idle()
  }

  /** Ends the process, between two of its steps: where it may end within one, its volume must see to it. */
  stop(): void {
    this.#process++
    this.#stop.abort()
    this.sidecar = undefined
  }

  /** Asks the process to end, as a signal does. */
  interrupt(): void {
    this.#stop.abort()
  }

  /** Waits until nothing moves but time: loops wait, or their vault hangs. */
  idle = async (): Promise<void> => {
    const hanging = () => [...this.twins.values()].reduce((sum, twin) => sum + twin.hanging, 0)
    const blocked = () => [...this.twins.values()].filter((twin) => twin.isBlocked).length
    const calm = () => this.clock.waiting - hanging() - this.#timers + blocked() >= this.twins.size + 1
    const busy = () => this.#delivering > 0 || [...this.twins.values()].some((twin) => twin.inFlight > twin.hanging)
    // A process that was told to end is gone before anything else counts.
    const alive = () => (this.sidecar === undefined || this.end !== undefined ? 0 : 1)
    await settled(
      () => this.#running === alive() && !busy() && (this.end !== undefined || this.sidecar === undefined || calm()),
    )
  }

  advance = (milliseconds: number): Promise<void> => this.clock.advance(milliseconds, this.idle)

  twinOf(name: string): Twin {
    const twin = [...this.twins.values()].find((one) => one.name === name)
    if (!twin) throw new Error(`there is no vault ${name}`)
    return twin
  }

  status(): Status {
    if (!this.sidecar) throw new Error('the sidecar does not run')
    return this.sidecar.status()
  }

  /** The files that a user sees, by path. */
  files(): Record<string, string> {
    const found: Record<string, string> = {}
    const walk = (folder: string): void => {
      for (const entry of readdirSync(join(this.mount, folder), { withFileTypes: true })) {
        if (folder === '' && entry.name.startsWith('..')) continue
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`
        if (entry.isDirectory() || (entry.isSymbolicLink() && this.#isFolder(path))) walk(path)
        else if (entry.name !== '..manifest.json') found[path] = readFileSync(join(this.mount, path), 'utf8')
      }
    }
    walk('')
    return found
  }

  /** Names the set that is served. */
  get set(): string | undefined {
    try {
      return readlinkSync(join(this.mount, '..data'))
    } catch {
      return undefined
    }
  }

  events(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line['event'] === event)
  }

  remove(): void {
    this.stop()
    rmSync(this.mount, { recursive: true, force: true })
  }

  #timers = 0
  #running = 0
  #delivering = 0

  /** An app that is told at once, as soon as it listens. */
  #notifier(id: number, onDelivered: (id: string) => void | Promise<void>): Notifier {
    let pending: Notification | undefined
    const attempt = async (): Promise<void> => {
      while (pending && id === this.#process) {
        if (this.appListens) {
          this.told.push(pending)
          const delivered = pending.id
          pending = undefined
          this.#delivering++
          await onDelivered(delivered)
          this.#delivering--
        } else {
          this.#timers++
          await this.clock.wait(1_000)
          this.#timers--
        }
      }
    }
    return {
      notify(notification) {
        const isRunning = pending !== undefined
        pending = notification
        if (!isRunning) void attempt()
      },
      status: (): NotifierStatus => ({ channels: {}, targets: [] }),
      close: () => undefined,
    }
  }

  #isFolder(path: string): boolean {
    try {
      return readdirSync(join(this.mount, path)).length >= 0
    } catch {
      return false
    }
  }
}
