import type { Logger } from '../shared/log.ts'
import type { Settings } from '../shared/settings.ts'
import type { Clock } from './clock.ts'
import { collect } from './collect.ts'
import { composeStored, isServable } from './compose.ts'
import { ExpiryWatch } from './expiry.ts'
import { judge, type Verdict } from './judge.ts'
import { LiveControl } from './live-control.ts'
import type { LiveTexts } from './live.ts'
import { Memory, nextProblem } from './memory.ts'
import type { Registry } from './metrics.ts'
import type { Notifier, NotifierOptions } from './notify/notifier.ts'
import { oneAtATime } from './pool.ts'
import { Poller, type PollOutcome } from './poller.ts'
import { Report } from './report.ts'
import { refreshAfter } from './schedule.ts'
import type { Source } from './sources.ts'
import { whyGiveUp, whyWaiting } from './start.ts'
import { whatIsMissing, type State, type VaultState } from './state.ts'
import { statusOf, type Status } from './status.ts'
import { makeTexts, tick, undelivered, type Render, type Ticked, type TickParts } from './tick.ts'
import type { Vault } from './vault/vault.ts'
import type { Volume } from './volume/volume.ts'

/** A vault as the sidecar polls it. */
export interface NamedVault extends Vault {
  name: string
  beginPoll(): void
}

/** What the sidecar needs of the world. */
export interface Effects {
  /** A vault as an object's identity sees it. */
  vault: (object: Pick<Source, 'vault' | 'identity'>) => NamedVault
  render: Render
  volume: Pick<Volume, 'read' | 'switchTo' | 'notified' | 'markNotified' | 'clean'>
  notifier: (handlers: Pick<NotifierOptions, 'onDelivered' | 'onOutcome' | 'onPermission'>) => Notifier
  /** The texts of the pod's live annotations. */
  liveTexts: () => LiveTexts
  pod: { name: string; namespace: string }
  clock: Clock
  random: () => number
  /** Keeps the reason of a failed start for `kubectl describe pod`, if the process ends before a set is served. */
  notStarted: (reason: string) => void
  /** Called once, when a complete set is served: from then on an end is no failure. */
  started: () => void
  log: Logger
  registry: Registry
}

/** How a run ends: where it failed, with the reason for the pod's termination message. */
export type End = { code: 0 } | { code: 1; reason: string }

/** How often the live annotations are looked at. */
const heartbeat = 1_000

/** The sidecar apart from its process: start, polls, live control, and what it tells of itself. */
export class Sidecar {
  readonly #effects: Effects
  readonly #report: Report
  readonly #state: State
  readonly #live: LiveControl
  readonly #notifier: Notifier
  readonly #expiry: ExpiryWatch
  readonly #parts: TickParts
  readonly #pollers: Poller[] = []
  readonly #stop = new AbortController()
  readonly #end = Promise.withResolvers<End>()
  #role: 'run' | 'once' = 'run'

  constructor(settings: Settings, effects: Effects, report = new Report(effects.log, effects.registry)) {
    const { clock, random, volume, render, pod } = effects
    this.#effects = effects
    this.#report = report
    this.#live = new LiveControl(settings, effects.liveTexts)
    this.#expiry = new ExpiryWatch(settings.expiryHorizon)
    const onDelivered = (id: string) => volume.markNotified(id)
    this.#notifier = effects.notifier({ onDelivered, onOutcome: report.outcome, onPermission: report.permission })
    const memory = new Memory(settings, { now: clock.now, elapsed: clock.elapsed, random })
    const startedAt = { now: clock.now(), elapsed: clock.elapsed() }
    const { missing } = composeStored(settings, undefined)
    this.#state = { settings, pod, startedAt, isRecalled: false, missing, textProblems: new Map(), live: this.#live.values, memory, vaults: [] } // prettier-ignore
    this.#parts = {
      ...{ settings, memory, render, volume, clock, random, textProblems: this.#state.textProblems },
      asking: { vault: effects.vault, signal: this.#stop.signal, now: clock.now, elapsed: clock.elapsed },
      notify: (notification) => this.#notifier.notify(notification),
      check: { dueAt: clock.elapsed() + refreshAfter(settings.fullRefresh, random), isRestoring: false },
      isServing: () => this.#state.serving !== undefined,
      exclusively: oneAtATime(),
    }
    for (const [url, sources] of Map.groupBy(memory.sources, ({ vault }) => vault)) this.#addVault(url, sources)
  }

  /** Fetches, serves and polls until the signal aborts; in the role `once` until a set is there and every vault was polled. */
  async run(role: 'run' | 'once', signal: AbortSignal): Promise<End> {
    this.#role = role
    const stop = () => this.#end.resolve(this.#state.serving ? { code: 0 } : { code: 1, reason: this.#whyWaiting() })
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    this.#effects.notStarted(this.#whyWaiting())
    this.#report.started(role, this.#state)
    this.#report.live(this.#live.begin())
    this.#obeyLive()
    await this.#recall()
    for (const loop of [...this.#pollers.map((poller) => poller.run(this.#stop.signal)), this.#beat()]) {
      loop.catch((error: unknown) => this.#report.defect('a loop', error as Error))
    }
    const end = await this.#end.promise
    this.#stop.abort()
    this.#notifier.close()
    return end
  }

  /** Why the pod is not ready, for the startup probe; it names no object, for anyone in the network may ask. */
  notReady(): string | undefined {
    if (this.#state.serving) return undefined
    return `waiting for the first set of ${this.#state.settings.objects.length} objects; the log and /status say why`
  }

  status(): Status {
    return statusOf(this.#state, this.#notifier.status(), this.#effects.clock)
  }

  metrics(): string {
    const { registry } = this.#effects
    collect(registry, this.#state, this.#notifier.status())
    return registry.text()
  }

  #addVault(url: string, sources: readonly Source[]): void {
    const { vault, clock, random } = this.#effects
    const [first] = sources
    if (!first) throw new TypeError('a vault is polled for its sources')
    const { name } = vault(first)
    const situation = () => ({
      interval: this.#live.values.pollInterval,
      ready: this.#state.serving !== undefined,
      suspended: this.#live.values.suspend && this.#role === 'run',
    })
    const retrying = (failures: number, delay: number) => this.#report.retrying(name, failures, delay)
    const poller = new Poller({ poll: () => this.#poll(state), situation, retrying, clock, random })
    const state: VaultState = { name, url, sources, isPolled: false, schedule: poller }
    this.#pollers.push(poller)
    this.#state.vaults.push(state)
  }

  async #poll(vault: VaultState): Promise<PollOutcome> {
    vault.lastPollAt = this.#effects.clock.now()
    try {
      for (const one of new Set(vault.sources.map(this.#effects.vault))) one.beginPoll()
      const ticked = await tick(vault.sources, this.#parts)
      if (this.#stop.signal.aborted) return { failed: false }
      const verdict = judge(ticked, this.#state.serving !== undefined)
      this.#take(vault, ticked, verdict)
      this.#report.ticked(vault, ticked, verdict, this.#state)
      if (ticked.tampered) this.#tampered(ticked.tampered)
      return verdict
    } catch (error) {
      this.#report.defect('a poll', error as Error)
      return { failed: true }
    } finally {
      vault.isPolled = true
      const isDone = this.#state.serving && this.#state.vaults.every(({ isPolled }) => isPolled)
      if (this.#role === 'once' && isDone) this.#end.resolve({ code: 0 })
    }
  }

  /** Says that the volume was changed, and polls every vault soon for what restores it. */
  #tampered(entries: readonly string[]): void {
    this.#state.tampered = { at: this.#effects.clock.now(), entries: entries.slice(0, 20), count: entries.length }
    this.#report.tampered(this.#state.tampered)
    for (const poller of this.#pollers) poller.refresh()
  }

  /** What a tick means for the state. */
  #take(vault: VaultState, { current, missing, volumeError }: Ticked, { result, isAnswered, message }: Verdict): void {
    const { clock } = this.#effects
    const state = this.#state
    const now = clock.now()
    if (result === 'success') vault.lastSuccessAt = now
    if (message !== undefined) vault.lastError = { at: now, message }
    if (isAnswered) vault.lastAnswerAt = now
    if (volumeError) state.volumeProblem = nextProblem(state.volumeProblem, volumeFailure(volumeError), clock)
    else delete state.volumeProblem
    if (!state.serving) state.missing = missing
    if (current) this.#serve(current.switchedAt)
    if (!state.serving) this.#effects.notStarted(this.#whyWaiting())
  }

  #serve(switchedAt: number): void {
    const { serving } = this.#state
    this.#state.serving = { since: serving?.since ?? this.#effects.clock.now(), switchedAt }
    if (!serving) this.#effects.started()
  }

  #whyWaiting(): string {
    return whyWaiting(whatIsMissing(this.#state))
  }

  /** Serves what an earlier process left in the volume, if it is complete, rather than hold the pod back. */
  async #recall(): Promise<void> {
    const { volume } = this.#effects
    const state = this.#state
    try {
      await volume.clean()
      const stored = await volume.read()
      if (!stored || !isServable(state.settings, stored)) return
      state.memory.recall(stored)
      state.isRecalled = true
      this.#serve(stored.manifest.switchedAt)
      this.#report.serving(stored.manifest.switchedAt)
      const untold = await undelivered(stored, volume)
      if (untold) this.#notifier.notify(untold)
      // The files of those that fail are older than the rest of the set, which only making them again tells.
      await makeTexts(stored.files, this.#parts)
    } catch (error) {
      this.#report.volume(error as Error)
    }
  }

  /** Once a second: live annotations, whether to go on waiting for the first set, and what expires. */
  async #beat(): Promise<void> {
    const { clock } = this.#effects
    while (!this.#stop.signal.aborted) {
      try {
        this.#checkLive()
        this.#checkStart()
        for (const one of this.#expiry.check(this.#state, clock)) this.#report.expiring(one)
      } catch (error) {
        this.#report.defect('the heartbeat', error as Error)
      }
      await clock.wait(heartbeat, this.#stop.signal)
    }
  }

  #checkLive(): void {
    const change = this.#live.check()
    if (!change) return
    this.#obeyLive()
    this.#report.live(change.problems, this.#live.values)
    for (const poller of this.#pollers) {
      if (change.isRescheduled) poller.reschedule()
      if (change.isRefreshed) poller.refresh()
    }
    if (change.isRefreshed) this.#report.refresh(this.#live.values.suspend)
  }

  #obeyLive(): void {
    this.#state.live = this.#live.values
    this.#effects.log.level = this.#live.values.logLevel
  }

  #checkStart(): void {
    const { serving, startedAt, settings } = this.#state
    if (serving) return
    const now = this.#effects.clock.elapsed()
    const waiting = { startedAt: startedAt.elapsed, now, startupTimeout: settings.startupTimeout }
    const reason = whyGiveUp({ ...waiting, missing: whatIsMissing(this.#state) })
    if (reason !== undefined) this.#end.resolve({ code: 1, reason })
  }
}

const volumeFailure = ({ message }: Error) =>
  ({ kind: 'volume', message: `the volume: ${message}`, outlook: 'doubtful' }) as const
