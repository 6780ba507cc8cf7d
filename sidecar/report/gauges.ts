import { metrics, type Registry } from './metrics.ts'
import { findKey } from '../../shared/detect/failures.ts'
import type { NotifierStatus } from '../notify/notifier.ts'
import { isStale, type State } from './state.ts'

/** Updates the gauges. The settings bound their number: vaults, objects, templates and bundles. */
export function collectGauges(registry: Registry, state: State, { pending }: NotifierStatus): void {
  const { settings, live, vaults, failures } = state
  registry.set(metrics.info, 1, { version: settings.version })
  registry.set(metrics.startTime, state.startedAt.now / 1000)
  registry.set(metrics.ready, state.serving !== undefined)
  registry.set(metrics.stale, isStale(state))
  registry.set(metrics.suspended, live.suspend)
  registry.set(metrics.pollInterval, live.pollInterval / 1000)
  registry.set(metrics.notificationPending, pending !== undefined)
  for (const { name, lastAnswerAt, lastSuccessAt } of vaults) {
    if (lastAnswerAt !== undefined) registry.set(metrics.lastAnswer, lastAnswerAt / 1000, { vault: name })
    if (lastSuccessAt !== undefined) registry.set(metrics.lastSuccess, lastSuccessAt / 1000, { vault: name })
  }
  const { coordination } = state
  if (coordination) {
    registry.set(metrics.coordinatorConnected, coordination.isConnected)
    registry.set(metrics.coordinatorUntrusted, !coordination.isTrusted)
    for (const { name, url } of vaults) registry.set(metrics.covered, coordination.isCovered(url), { vault: name })
  }
  if (state.turns) {
    const turn = state.turns.status()
    registry.set(metrics.turnWaiting, turn.waitingMs / 1000)
    registry.set(metrics.turnHalted, turn.state === 'halted')
  }
  collectObjects(registry, state)
  collectFinds(registry, state)
  for (const path of [...Object.keys(settings.templates), ...Object.keys(settings.bundles)]) {
    registry.set(metrics.textFailing, failures.has(path), { path })
  }
}

function collectObjects(registry: Registry, { cache, failures, vaults }: State): void {
  for (const metric of [
    metrics.objectFailing,
    metrics.objectFetched,
    metrics.objectUpdated,
    metrics.objectExpiry,
    metrics.objectNotBefore,
  ]) {
    registry.clear(metric)
  }
  for (const [index, { vault: url, type, name, path }] of cache.objects()) {
    const vault = vaults.find((one) => one.url === url)?.name ?? url
    const labels = { vault, type, name, path }
    const record = cache.record(index)
    registry.set(metrics.objectFailing, failures.has(index), labels)
    const { updated, expires, notBefore } = record?.attributes ?? {}
    if (record) registry.set(metrics.objectFetched, record.fetchedAt / 1000, labels)
    if (updated !== undefined) registry.set(metrics.objectUpdated, updated, labels)
    if (expires !== undefined) registry.set(metrics.objectExpiry, expires, labels)
    if (notBefore !== undefined) registry.set(metrics.objectNotBefore, notBefore, labels)
  }
}

function collectFinds(registry: Registry, { cache: { selection }, failures, vaults }: State): void {
  for (const [index, find] of selection?.finds.entries() ?? []) {
    const vault = vaults.find(({ url }) => url === find.vault)?.name ?? find.vault
    const labels = { vault, type: find.type, find: String(index + 1) }
    const matches = selection?.matches.values().filter((match) => match.find === index) ?? []
    registry.set(metrics.findMatches, [...matches].length, labels)
    registry.set(metrics.findFailing, failures.has(findKey(index)), labels)
  }
}
