import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import type { Test } from 'tap'
import { createLogger } from '../../shared/log.ts'
import type { ObjectSpec } from '../../shared/objects/spec.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { Sidecar, type SidecarDependencies } from '../../sidecar/sidecar.ts'
import { terminationMessage } from '../../sidecar/termination-message.ts'
import { Selection } from '../../shared/detect/selection.ts'
import type { LiveTexts } from '../../sidecar/live/annotations.ts'
import { Registry } from '../../sidecar/report/metrics.ts'
import type { Notification } from '../../sidecar/notify/notification.ts'
import type { Notifier, NotifierStatus, TargetProcess } from '../../sidecar/notify/notifier.ts'
import { createRenderer } from '../../shared/render/renderer.ts'
import type { Status } from '../../sidecar/report/status.ts'
import { Volume } from '../../sidecar/volume/volume.ts'
import { settled, VirtualClock } from './clock.ts'
import { memoryFolder } from './temporary-folder.ts'
import { settingsWith } from './settings.ts'
import { FakeVault } from './fake-vault.ts'

/** A pod, and vaults that have held its secrets for a while, each with the value `<name>-1`. */
export async function podWith(
  test: Test,
  objects: (string | ObjectSpec)[],
  overrides: Partial<Settings> = {},
): Promise<TestPod> {
  const pod = new TestPod(settingsWith(objects, overrides))
  test.teardown(() => pod.remove())
  for (const { vault, type, name } of pod.settings.objects) pod.vaults.get(vault)?.set(name, `${name}-1`, { type })
  await pod.advance(86_400_000)
  return pod
}

/** A pod whose sidecar runs in this process: real volume, virtual time, vaults and app in memory. */
export class TestPod {
  readonly clock = new VirtualClock()
  readonly mount = memoryFolder('pod-')
  readonly settings: Settings
  readonly vaults = new Map<string, FakeVault>()
  readonly lines: Record<string, unknown>[] = []
  /** The notifications that the app received. */
  readonly notifications: Notification[] = []
  annotations: LiveTexts = { refresh: '', suspend: '', 'poll-interval': '', 'log-level': '' }
  /** Whether notifying the app succeeds. */
  appListens = true
  random = (): number => 0.5
  /** A wrapper between the sidecar and its volume. */
  wrapVolume = (volume: SidecarDependencies['volume']): SidecarDependencies['volume'] => volume
  /** Waits on the clock that are neither those of the pollers nor the heartbeat's. */
  otherWaits = 0
  /** What runs in addition to polls and deliveries. */
  working = 0
  /** What the pod has instead of a session with a real coordinator. */
  coordinate: SidecarDependencies['coordinate']
  /** What the pod has of turns. */
  turns: SidecarDependencies['turns']
  /** The app's processes, if the pod has a signal. */
  targets: TargetProcess[] = []
  /** The last of them that was found, which may have ended. */
  latest: TargetProcess | undefined
  /** Called with each notification that the app received. */
  onNotified = (): void => undefined
  sidecar: Sidecar | undefined
  end: { code: 0 } | { code: 1; reason: string } | undefined
  /** The container's termination message. */
  termination = ''
  #process = 0
  #stop = new AbortController()

  constructor(settings: Settings) {
    this.settings = settings
    for (const { vault } of [...settings.objects, ...(settings.find?.finds ?? [])]) {
      const name = new URL(vault).hostname.split('.')[0] ?? ''
      const options = { name, now: this.clock.trueTime, wait: this.clock.wait }
      if (!this.vaults.has(vault)) this.vaults.set(vault, new FakeVault(options))
    }
  }

  get vault(): FakeVault {
    const [first] = this.vaults.values()
    if (!first) throw new Error('there is no vault')
    return first
  }

  /** Starts the sidecar's process with the current content of the volume. */
  async start(role: 'run' | 'once' = 'run'): Promise<void> {
    const id = ++this.#process
    this.#stop = new AbortController()
    this.end = undefined
    this.termination = ''
    const { clock, settings } = this
    const stream = { write: (line: string) => void this.lines.push(JSON.parse(line) as Record<string, unknown>) }
    this.sidecar = new Sidecar(settings, {
      vault: ({ vault }) => this.vaults.get(vault) ?? this.vault,
      render: createRenderer(settings),
      selection: settings.find && new Selection({ ...settings, find: settings.find }),
      volume: this.wrapVolume(new Volume(this.mount, clock)),
      notifier: ({ onDelivered }) => this.#notifier(id, onDelivered),
      liveTexts: () => this.annotations,
      coordinate: this.coordinate,
      turns: this.turns,
      pod: { name: 'web-0', namespace: 'shop' },
      clock,
      random: () => this.random(),
      notStarted: (reason) => void (this.termination = terminationMessage(reason)),
      started: () => void (this.termination = ''),
      log: createLogger('debug', stream),
      registry: new Registry(),
    })
    this.#running++
    void this.sidecar.run(role, this.#stop.signal).then((end) => {
      this.#running--
      if (id === this.#process) this.end = end.code === 0 ? end : { ...end, reason: terminationMessage(end.reason) }
    })
    await this.idle()
  }

  /** Ends the process between two of its steps; the volume has to end it within one. */
  stop(): void {
    this.#process++
    this.#stop.abort()
    this.sidecar = undefined
  }

  /** Ends the process like a signal. */
  interrupt(): void {
    this.#stop.abort()
  }

  /** Waits until only time can change anything: loops wait, or their vault hangs. */
  idle = async (): Promise<void> => {
    const hanging = () => [...this.vaults.values()].reduce((sum, vault) => sum + vault.hanging, 0)
    const blocked = () => [...this.vaults.values()].filter((vault) => vault.isBlocked).length
    const calm = () =>
      this.clock.waiting - hanging() - this.#timers - this.otherWaits + blocked() >= this.vaults.size + 1
    const busy = () =>
      this.#delivering + this.working > 0 || [...this.vaults.values()].some((vault) => vault.inFlight > vault.hanging)
    // A process that received a signal ends before anything else is considered.
    const alive = () => (this.sidecar === undefined || this.end !== undefined ? 0 : 1)
    await settled(
      () => this.#running === alive() && !busy() && (this.end !== undefined || this.sidecar === undefined || calm()),
    )
  }

  advance = (milliseconds: number): Promise<void> => this.clock.advance(milliseconds, this.idle)

  vaultOf(name: string): FakeVault {
    const vault = [...this.vaults.values()].find((one) => one.name === name)
    if (!vault) throw new Error(`there is no vault ${name}`)
    return vault
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

  /** An app that is notified at once, as soon as it listens. */
  #notifier(id: number, onDelivered: (id: string) => void | Promise<void>): Notifier {
    let pending: Notification | undefined
    let signaled: TargetProcess[] | undefined
    const attempt = async (): Promise<void> => {
      while (pending && id === this.#process) {
        if (this.appListens) {
          this.notifications.push(pending)
          const delivered = pending.id
          pending = undefined
          if (this.settings.notify.signal) signaled = this.targets
          this.onNotified()
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
      status: (): NotifierStatus => ({
        ...{ channels: {}, targets: this.targets },
        ...(signaled && { signaled }),
        ...(this.latest && { latest: this.latest }),
        ...(pending && { pending: { ...pending, waitingFor: ['http'] } }),
      }),
      watchClosely: () => undefined,
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
