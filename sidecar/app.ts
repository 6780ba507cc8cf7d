import type { Logger } from '../shared/log.ts'
import type { Settings } from '../shared/settings.ts'
import type { Clock } from './clock.ts'
import { collect } from './collect.ts'
import { objectName } from '../shared/object-spec.ts'
import { addTexts, composeObjects, textsOf, type Composed, type Missing } from './compose.ts'
import { ExpiryWatch } from './expiry.ts'
import { initialValues, interpretLive, liveNames, type LiveTexts, type LiveValues } from './live.ts'
import { judge, type Verdict } from './judge.ts'
import { Memory, nextProblem, type Problem } from './memory.ts'
import type { Registry } from './metrics.ts'
import type { Notifier, NotifierOptions } from './notify/notifier.ts'
import { oneAtATime } from './pool.ts'
import { Poller, type PollOutcome } from './poller.ts'
import { Report } from './report.ts'
import type { Source } from './sources.ts'
import { whyGiveUp } from './start.ts'
import { statusOf, type Status, type VaultState } from './status.ts'
import { tick, undelivered, type Render, type Ticked, type TickParts } from './tick.ts'
import type { Vault } from './vault/vault.ts'
import { planDigest } from './volume/manifest.ts'
import type { StoredSet, Volume } from './volume/volume.ts'

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
  notifier(handlers: Pick<NotifierOptions, 'onDelivered' | 'onOutcome' | 'onPermission'>): Notifier
  /** The texts of the pod's live annotations. */
  liveTexts: () => LiveTexts
  pod: { name: string; namespace: string }
  clock: Clock
  random: () => number
  log: Logger
  registry: Registry
}

/** How a run ends: where it failed, with the reason for the pod's termination message. */
export type End = { code: 0 } | { code: 1; reason: string }

/** How often the live annotations are looked at. */
const heartbeat = 1_000

interface PolledVault {
  state: VaultState
  poller: Poller
  sources: readonly Source[]
}

/** The sidecar apart from its process: start, polls, live control, and what it tells of itself. */
export class Sidecar {
  readonly #settings: Settings
  readonly #effects: Effects
  readonly #memory: Memory
  readonly #notifier: Notifier
  readonly #report: Report
  readonly #expiry: ExpiryWatch
  readonly #parts: TickParts
  readonly #vaults: readonly PolledVault[]
  readonly #startedAt: { now: number; elapsed: number }
  readonly #stop = new AbortController()
  readonly #end = Promise.withResolvers<End>()
  readonly #textProblems = new Map<string, Problem>()
  /** Vaults that were not polled in full since the start, where the set is from before it. */
  readonly #unheard = new Set<string>()
  #serving: { since: number; switchedAt: number } | undefined
  #missing: Missing[] = []
  #volumeProblem: Problem | undefined
  #texts: LiveTexts
  #live: LiveValues
  #once = false

  constructor(settings: Settings, effects: Effects, report = new Report(effects.log, effects.registry)) {
    const { clock, random, volume } = effects
    this.#settings = settings
    this.#effects = effects
    this.#report = report
    this.#startedAt = { now: clock.now(), elapsed: clock.elapsed() }
    this.#memory = new Memory(settings, { now: clock.now, elapsed: clock.elapsed, random })
    this.#expiry = new ExpiryWatch(settings.expiryHorizon)
    this.#notifier = effects.notifier({
      onDelivered: (id) => volume.markNotified(id),
      onOutcome: report.outcome,
      onPermission: report.permission,
    })
    this.#missing = whole(settings, undefined).missing
    this.#texts = effects.liveTexts()
    this.#live = initialValues(settings)
    this.#parts = {
      ...{ settings, memory: this.#memory, render: effects.render, volume, clock, random },
      asking: { vault: effects.vault, signal: this.#stop.signal, now: clock.now, elapsed: clock.elapsed },
      notify: (notification) => this.#notifier.notify(notification),
      isServing: () => this.#serving !== undefined,
      textProblems: this.#textProblems,
      exclusively: oneAtATime(),
    }
    const byVault = Map.groupBy(this.#memory.sources, ({ vault }) => vault)
    this.#vaults = Array.from(byVault.values(), (sources) => this.#polled(sources))
  }

  /** Fetches, serves and polls until the signal aborts; in the mode `once` until the first set is there. */
  async run(role: 'run' | 'once', signal: AbortSignal): Promise<End> {
    this.#once = role === 'once'
    signal.addEventListener('abort', () => this.#end.resolve({ code: 0 }), { once: true })
    if (signal.aborted) this.#end.resolve({ code: 0 })
    this.#report.started(role, this.#settings, this.#effects.pod)
    this.#report.live(this.#applyLive())
    await this.#recall()
    const loops = [...this.#vaults.map(({ poller }) => poller.run(this.#stop.signal)), this.#beat()]
    for (const loop of loops) loop.catch((error: unknown) => this.#report.defect('a loop', error as Error))
    const end = await this.#end.promise
    this.#stop.abort()
    this.#notifier.close()
    return end
  }

  /** Why the pod is not ready, for the startup probe; it names no object, for anyone in the network may ask. */
  notReady(): string | undefined {
    if (this.#serving) return undefined
    return `waiting for the first set of ${this.#settings.objects.length} objects; the log and /status say why`
  }

  status(): Status {
    return statusOf({
      ...{ settings: this.#settings, memory: this.#memory, textProblems: this.#textProblems, live: this.#live },
      ...{ pod: this.#effects.pod, clock: this.#effects.clock, startedAt: this.#startedAt.now, stale: this.#isStale },
      ...{ serving: this.#serving, volumeProblem: this.#volumeProblem, vaults: this.#states() },
      notifier: this.#notifier.status(),
    })
  }

  metrics(): string {
    const { registry } = this.#effects
    collect(registry, {
      ...{ settings: this.#settings, memory: this.#memory, textProblems: this.#textProblems, vaults: this.#states() },
      ...{ startedAt: this.#startedAt.now, ready: this.#serving !== undefined, stale: this.#isStale },
      ...{ suspended: this.#live.suspend, pollInterval: this.#live.pollInterval },
      notificationPending: this.#notifier.status().pending !== undefined,
    })
    return registry.text()
  }

  #polled(sources: readonly Source[]): PolledVault {
    const { vault, clock, random } = this.#effects
    const [first] = sources
    if (!first) throw new TypeError('a vault is polled for its sources')
    const state: VaultState = { name: vault(first).name, url: first.vault, failures: 0, dueAt: 0 }
    const poller = new Poller({
      poll: () => this.#poll(state, sources),
      situation: () => ({
        interval: this.#live.pollInterval,
        ready: this.#serving !== undefined,
        suspended: this.#live.suspend && !this.#once,
      }),
      retrying: (failures, delay) => this.#report.retrying(state.name, failures, delay),
      ...{ clock, random },
    })
    return { state, poller, sources }
  }

  async #poll(state: VaultState, sources: readonly Source[]): Promise<PollOutcome> {
    const { clock, vault } = this.#effects
    state.lastPollAt = clock.now()
    try {
      for (const one of new Set(sources.map(vault))) one.beginPoll()
      const ticked = await tick(sources, this.#parts)
      if (this.#stop.signal.aborted) return { failed: false }
      const verdict = judge(ticked, this.#serving !== undefined)
      this.#take(state, ticked, verdict)
      this.#tell(state, sources, ticked, verdict)
      return verdict
    } catch (error) {
      this.#report.defect('a poll', error as Error)
      return { failed: true }
    }
  }

  /** What a tick means for the state. */
  #take(state: VaultState, { current, missing, volumeError }: Ticked, { result, message }: Verdict): void {
    const now = this.#effects.clock.now()
    if (result === 'success') state.lastSuccessAt = now
    if (message !== undefined) state.lastError = { at: now, message }
    if (result !== 'failed') this.#unheard.delete(state.url)
    this.#volumeProblem =
      volumeError && nextProblem(this.#volumeProblem, volumeFailure(volumeError), this.#effects.clock)
    if (!this.#serving) this.#missing = missing
    if (current) this.#serving = { since: this.#serving?.since ?? now, switchedAt: current.switchedAt }
    const isPolled = this.#vaults.every(({ state: { lastPollAt } }) => lastPollAt !== undefined)
    if (this.#once && this.#serving && isPolled) this.#end.resolve({ code: 0 })
  }

  #tell(state: VaultState, sources: readonly Source[], ticked: Ticked, verdict: Verdict): void {
    this.#report.polled(state.name, verdict, ticked)
    this.#report.switched(ticked)
    for (const index of sources.flatMap(({ objects }) => objects)) {
      const object = this.#settings.objects[index]
      if (object) this.#report.object(object, this.#memory.problems.get(index))
    }
    for (const text of textsOf(this.#settings)) this.#report.text(text, this.#textProblems.get(text.path))
  }

  /** Serves what an earlier start left in the volume, if it is complete, rather than hold the pod back. */
  async #recall(): Promise<void> {
    const { volume, clock } = this.#effects
    try {
      await volume.clean()
      const stored = await volume.read()
      if (stored?.manifest.plan !== planDigest(this.#settings)) return
      if (whole(this.#settings, stored).missing.length > 0) return
      this.#memory.recall(stored)
      this.#serving = { since: clock.now(), switchedAt: stored.manifest.switchedAt }
      for (const { state } of this.#vaults) this.#unheard.add(state.url)
      this.#report.serving(stored.manifest.switchedAt)
      const untold = await undelivered(stored, volume)
      if (untold) this.#notifier.notify(untold)
    } catch (error) {
      this.#report.volume(error as Error)
    }
  }

  /** Once a second: live annotations, what expires, and whether to go on waiting for the first set. */
  async #beat(): Promise<void> {
    const { clock } = this.#effects
    while (!this.#stop.signal.aborted) {
      this.#checkLive()
      this.#checkStart()
      this.#checkExpiry()
      await clock.wait(heartbeat, this.#stop.signal)
    }
  }

  #checkStart(): void {
    if (this.#serving) return
    const missing: { what: string; problem: Problem | undefined }[] = this.#missing.map((one) => ({
      what: one.what,
      problem: 'object' in one ? this.#memory.problems.get(one.object) : this.#textProblems.get(one.text),
    }))
    if (this.#volumeProblem) missing.push({ what: 'the volume', problem: this.#volumeProblem })
    const { startupTimeout } = this.#settings
    const now = this.#effects.clock.elapsed()
    const reason = whyGiveUp({ startedAt: this.#startedAt.elapsed, now, startupTimeout, missing })
    if (reason !== undefined) this.#end.resolve({ code: 1, reason })
  }

  #checkLive(): void {
    const texts = this.#effects.liveTexts()
    if (liveNames.every((name) => texts[name] === this.#texts[name])) return
    const refreshed = texts.refresh !== this.#texts.refresh && texts.refresh !== ''
    const { pollInterval, suspend } = this.#live
    this.#texts = texts
    this.#report.live(this.#applyLive(), this.#live)
    const isRescheduled = this.#live.pollInterval !== pollInterval || this.#live.suspend !== suspend
    for (const { poller } of this.#vaults) {
      if (isRescheduled) poller.reschedule()
      if (refreshed) poller.refresh()
    }
    if (refreshed) this.#report.refresh(this.#live.suspend)
  }

  /** @returns what is wrong with the annotations */
  #applyLive(): string[] {
    const { values, problems } = interpretLive(this.#texts, this.#live, this.#settings)
    this.#live = values
    this.#effects.log.level = values.logLevel
    return problems
  }

  #checkExpiry(): void {
    const { clock } = this.#effects
    const expiring = this.#settings.objects.flatMap((object, index) => {
      const expires = this.#memory.record(index)?.attributes.expires
      return expires === undefined ? [] : [{ what: objectName(object), expires }]
    })
    const due = this.#expiry.check(expiring, { now: clock.now(), elapsed: clock.elapsed() })
    for (const one of due) this.#report.expiring(one)
  }

  get #isStale(): boolean {
    return this.#serving !== undefined && this.#unheard.size > 0
  }

  #states(): VaultState[] {
    return this.#vaults.map(({ state, poller: { failures, dueAt } }) => ({ ...state, failures, dueAt }))
  }
}

/** What a stored set gives by itself. */
const whole = (settings: Settings, stored: StoredSet | undefined): Composed =>
  addTexts(settings, stored, composeObjects(settings, stored, new Map()), new Map())

const volumeFailure = ({ message }: Error) =>
  ({ kind: 'volume', message: `the volume: ${message}`, transient: true }) as const
