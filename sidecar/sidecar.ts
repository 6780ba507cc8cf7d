import type { Settings } from '../shared/settings/codec.ts'
import { collectGauges } from './report/gauges.ts'
import { isServable } from './poll/compose.ts'
import { ExpiryWatch } from './report/expiry.ts'
import { judgePoll, type PollOutcome } from './poll/outcome.ts'
import { LiveWatcher } from './live/watcher.ts'
import { SourceCache } from '../shared/detect/cache.ts'
import { Failures } from '../shared/detect/failures.ts'
import type { Notifier } from './notify/notifier.ts'
import { createQueue } from '../shared/concurrency.ts'
import type { SidecarDependencies } from './dependencies.ts'
import { coveredInterval, createHost, type Coordination } from './poll/coordination.ts'
import { Poller, type PollEnd } from './poll/poller.ts'
import { Reporter } from './report/reporter.ts'
import { refreshAfter } from '../shared/detect/read-plan.ts'
import type { Source } from '../shared/detect/sources.ts'
import { giveUpReason, whyWaiting } from './startup-deadline.ts'
import type { Explanation } from './termination-message.ts'
import { appliedFacts, initialState, whatIsMissing, type State, type VaultState } from './report/state.ts'
import { statusOf, type Status } from './report/status.ts'
import type { PollContext, PollResult } from './poll/context.ts'
import { pendingNotification } from './poll/describe-set.ts'
import { pollVault, switchPending } from './poll/poll.ts'
import { checkTexts } from './poll/update-volume.ts'
import { planDigest } from './volume/manifest.ts'

export type { NamedVault, SidecarDependencies } from './dependencies.ts'

/** How a run ends; a failure has the reason for the pod's termination message. */
export type End = { code: 0 } | { code: 1; reason: Explanation }

/** The sidecar apart from its process: start, polls, live annotations, and its reports about itself. */
export class Sidecar {
  readonly #dependencies: SidecarDependencies
  readonly #report: Reporter
  readonly #state: State
  readonly #live: LiveWatcher
  readonly #notifier: Notifier
  readonly #expiry: ExpiryWatch
  readonly #context: PollContext
  /** By the URL of the vault. */
  readonly #pollers = new Map<string, Poller>()
  readonly #coordination: Coordination | undefined
  readonly #stop = new AbortController()
  readonly #end = Promise.withResolvers<End>()
  readonly #firstSet = Promise.withResolvers<void>()
  /** Resolves with the first set, or at the end of the run. */
  readonly settled: Promise<unknown> = Promise.race([this.#firstSet.promise, this.#end.promise])
  #role: 'run' | 'once' = 'run'

  constructor(
    settings: Settings,
    dependencies: SidecarDependencies,
    report = new Reporter(dependencies.log, dependencies.registry),
  ) {
    const { clock, random, volume, render, pod } = dependencies
    this.#dependencies = dependencies
    this.#report = report
    this.#live = new LiveWatcher(settings, dependencies.liveTexts)
    this.#expiry = new ExpiryWatch(settings.expiryHorizon)
    const onDelivered = (id: string) => volume.markNotified(id)
    this.#notifier = dependencies.notifier({ onDelivered, onOutcome: report.outcome, onPermission: report.permission })
    const failures = new Failures(clock)
    const cache = new SourceCache(settings, { clock, random, failures, selection: dependencies.selection })
    this.#state = initialState({ settings, pod, live: this.#live.values, clock, failures, cache })
    this.#context = {
      ...{ settings, cache, failures, render, volume, clock, random },
      vault: dependencies.vault,
      abort: this.#stop.signal,
      notify: (notification) => this.#notifier.notify(notification),
      volumeCheck: { dueAt: clock.elapsed() + refreshAfter(settings.fullRefresh, random), isRestoring: false },
      quietMs: (url) => coveredInterval(this.#coordination, url, settings.fullRefresh) ?? 0,
      isServing: () => this.#state.serving !== undefined,
      exclusively: createQueue(),
    }
    const notifier = () => this.#notifier.status()
    const turns = dependencies.turns?.({
      ...{ retry: this.#retry, notifier, watchClosely: (isClose) => this.#notifier.watchClosely(isClose) },
      isConnected: () => this.#coordination?.isConnected ?? false,
      isSuspended: () => this.#live.values.suspend,
      changed: () => this.#coordination?.turnChanged(),
    })
    if (turns) this.#state.turns = this.#context.turns = turns
    this.#coordination = dependencies.coordinate?.(
      createHost(cache, this.#pollers, {
        turns,
        pollInterval: () => this.#live.values.pollInterval,
        applied: () => appliedFacts(this.#state, notifier()),
      }),
    )
    if (this.#coordination) this.#state.coordination = this.#coordination
    const all = [...cache.sources, ...(cache.selection?.finds ?? [])]
    for (const [url, [first]] of Map.groupBy(all, ({ vault }) => vault)) if (first) this.#addVault(url, first)
  }

  /** Fetches, serves and polls until it is aborted; in the role `once` until a set is there and every vault was polled. */
  async run(role: 'run' | 'once', abort: AbortSignal): Promise<End> {
    this.#role = role
    const stop = () => this.#end.resolve(this.#state.serving ? { code: 0 } : { code: 1, reason: this.#whyWaiting() })
    abort.addEventListener('abort', stop, { once: true })
    if (abort.aborted) stop()
    this.#dependencies.notStarted(this.#whyWaiting())
    this.#report.started(role, this.#state)
    this.#report.live(this.#live.begin())
    this.#applyLive()
    if (role === 'run') await this.#state.turns?.begin()
    await this.#restore()
    const loops = [...this.#pollers.values(), ...(role === 'run' && this.#coordination ? [this.#coordination] : [])]
    for (const loop of [...loops.map((one) => one.run(this.#stop.signal)), this.#runHeartbeat()]) {
      loop.catch((error: unknown) => this.#report.defect('a loop', error as Error))
    }
    const end = await this.#end.promise
    this.#stop.abort()
    this.#notifier.close()
    return end
  }

  /** Why the pod is not ready, for the startup probe; it names no object, because anyone in the network can request it. */
  notReady(): string | undefined {
    if (this.#state.serving) return undefined
    const { objects, find } = this.#state.settings
    const finds = find ? ` and ${find.finds.length} finds` : ''
    return `waiting for the first set of ${objects.length} objects${finds}; see the log and /status for the reason`
  }

  status(): Status {
    return statusOf(this.#state, this.#notifier.status(), this.#dependencies.clock)
  }

  metrics(): string {
    const { registry } = this.#dependencies
    collectGauges(registry, this.#state, this.#notifier.status())
    return registry.text()
  }

  #addVault(url: string, first: Pick<Source, 'vault' | 'identity'>): void {
    const { vault, clock, random } = this.#dependencies
    const { name } = vault(first)
    const situation = () => ({
      interval: this.#live.values.pollInterval,
      coveredInterval: coveredInterval(this.#coordination, url, this.#context.settings.fullRefresh),
      ready: this.#state.serving !== undefined,
      suspended: this.#live.values.suspend && this.#role === 'run',
    })
    const retrying = (failures: number, delay: number) => this.#report.retrying(name, failures, delay)
    const poller = new Poller({ poll: (isHinted) => this.#poll(state, isHinted), situation, retrying, clock, random })
    const { cache } = this.#context
    const state: VaultState = {
      ...{ name, url, isPolled: false, schedule: poller },
      get sources() {
        return cache.sourcesIn(url)
      },
    }
    this.#pollers.set(url, poller)
    this.#state.vaults.push(state)
  }

  async #poll(vault: VaultState, isHinted: boolean): Promise<PollEnd> {
    const hinted = isHinted ? this.#coordination?.hinted(vault.url) : undefined
    if (hinted?.length === 0) return { failed: false }
    const ended = this.#coordination?.pollBegan(vault.url)
    let read: PollResult['read'] | undefined
    vault.lastPollAt = this.#dependencies.clock.now()
    try {
      const finds = this.#context.cache.selection?.finds.filter((find) => find.vault === vault.url) ?? []
      for (const one of new Set([...vault.sources, ...finds].map(this.#dependencies.vault))) one.beginPoll()
      const result = await pollVault(vault.url, this.#context, hinted)
      read = result.read
      if (this.#stop.signal.aborted) return { failed: false }
      const outcome = judgePoll(result, this.#state.serving !== undefined)
      this.#update(vault, result, outcome)
      this.#report.polled(vault, result, outcome, this.#state)
      if (result.tampered) this.#tampered(result.tampered)
      return outcome
    } catch (error) {
      this.#report.defect('a poll', error as Error)
      return { failed: true }
    } finally {
      vault.isPolled = true
      ended?.(read, hinted !== undefined)
      const isDone = this.#state.serving && this.#state.vaults.every(({ isPolled }) => isPolled)
      if (this.#role === 'once' && isDone) this.#end.resolve({ code: 0 })
    }
  }

  /** Switches in what waited for the pod's turn. */
  #retry = async (): Promise<void> => {
    try {
      const update = await switchPending(this.#context)
      if (update.current) this.#serve(update.current.switchedAt)
      this.#report.turned(update)
      if (update.tampered) this.#tampered(update.tampered)
    } catch (error) {
      this.#report.defect('a turn', error as Error)
    }
  }

  /** Reports that the volume was changed, and polls every vault soon to restore it. */
  #tampered(entries: readonly string[]): void {
    this.#state.tampered = { at: this.#dependencies.clock.now(), entries: entries.slice(0, 20), count: entries.length }
    this.#report.tampered(this.#state.tampered)
    for (const poller of this.#pollers.values()) poller.refresh()
  }

  /** Brings the state up to date after a poll. */
  #update(vault: VaultState, { current, missing }: PollResult, { result, isAnswered, message }: PollOutcome): void {
    const state = this.#state
    const now = this.#dependencies.clock.now()
    if (result === 'success') vault.lastSuccessAt = now
    if (message !== undefined) vault.lastError = { at: now, message }
    if (isAnswered) vault.lastAnswerAt = now
    if (!state.serving) state.missing = missing
    if (current) this.#serve(current.switchedAt)
    if (!state.serving) this.#dependencies.notStarted(this.#whyWaiting())
  }

  /** @param isFirst whether the app has never had another set */
  #serve(switchedAt: number, isFirst = true): void {
    const { serving, cache } = this.#state
    this.#state.serving = { since: serving?.since ?? this.#dependencies.clock.now(), switchedAt }
    if (serving) return
    if (isFirst) this.#state.startVersions = cache.versionsBySource()
    this.#firstSet.resolve()
    this.#dependencies.started()
  }

  #whyWaiting = (): Explanation => whyWaiting(whatIsMissing(this.#state))

  /** Serves the set that a previous process left in the volume, if it is complete, so that the pod does not wait for vaults. */
  async #restore(): Promise<void> {
    const { volume } = this.#dependencies
    const state = this.#state
    try {
      await volume.clean()
      const stored = await volume.read()
      if (!stored || stored.manifest.plan !== planDigest(state.settings)) return
      state.cache.restoreSelection(stored.manifest.found ?? {})
      if (!isServable(state.settings, stored, state.cache.selection)) return
      state.cache.restore(stored.manifest.sources)
      state.isRestored = true
      this.#state.turns?.restored(stored.manifest)
      this.#serve(stored.manifest.switchedAt, stored.manifest.notification === undefined)
      this.#report.serving(stored.manifest.switchedAt)
      const notification = await pendingNotification(stored, volume)
      if (notification) this.#notifier.notify(notification)
      await checkTexts(stored, this.#context)
    } catch (error) {
      this.#report.volume(error as Error)
    }
  }

  /** Checks, once a second, the live annotations, the startup deadline and expiries. */
  async #runHeartbeat(): Promise<void> {
    const { clock, heartbeatMs = 1_000 } = this.#dependencies
    while (!this.#stop.signal.aborted) {
      try {
        this.#checkLive()
        this.#checkStart()
        this.#state.turns?.check()
        this.#coordination?.check()
        for (const one of this.#expiry.check(this.#state, clock)) this.#report.expiring(one)
      } catch (error) {
        this.#report.defect('the heartbeat', error as Error)
      }
      await clock.wait(heartbeatMs, this.#stop.signal)
    }
  }

  #checkLive(): void {
    const change = this.#live.check()
    if (!change) return
    this.#applyLive()
    this.#report.live(change.problems, this.#live.values)
    for (const poller of this.#pollers.values()) {
      if (change.isRescheduled) poller.reschedule()
      if (change.isRefreshed) poller.refresh()
    }
    if (!change.isRefreshed) return
    this.#state.turns?.refreshed()
    this.#report.refresh(this.#live.values.suspend)
  }

  #applyLive(): void {
    this.#state.live = this.#live.values
    this.#dependencies.log.level = this.#live.values.logLevel
  }

  #checkStart(): void {
    const { serving, startedAt, settings } = this.#state
    if (serving) return
    const now = this.#dependencies.clock.elapsed()
    const waiting = { startedAt: startedAt.elapsed, now, startupTimeout: settings.startupTimeout }
    const reason = giveUpReason({ ...waiting, missing: whatIsMissing(this.#state) })
    if (reason !== undefined) this.#end.resolve({ code: 1, reason })
  }
}
