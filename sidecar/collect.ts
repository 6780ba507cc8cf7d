import type { Settings } from '../shared/settings.ts'
import type { VaultState } from './status.ts'
import type { Memory, Problem } from './memory.ts'
import { metrics, type Registry } from './metrics.ts'

/** What gauges are read off when somebody asks for them. */
export interface Collected {
  settings: Settings
  startedAt: number
  ready: boolean
  stale: boolean
  suspended: boolean
  pollInterval: number
  notificationPending: boolean
  vaults: readonly VaultState[]
  memory: Memory
  textProblems: ReadonlyMap<string, Problem>
}

/** Brings the gauges up to date. Their number is bounded by the settings: vaults, objects, templates and bundles. */
export function collect(registry: Registry, now: Collected): void {
  registry.set(metrics.info, 1, { version: now.settings.version })
  registry.set(metrics.startTime, now.startedAt / 1000)
  registry.set(metrics.ready, now.ready)
  registry.set(metrics.stale, now.stale)
  registry.set(metrics.suspended, now.suspended)
  registry.set(metrics.pollInterval, now.pollInterval / 1000)
  registry.set(metrics.notificationPending, now.notificationPending)
  for (const { name, lastSuccessAt } of now.vaults) {
    if (lastSuccessAt !== undefined) registry.set(metrics.lastSuccess, lastSuccessAt / 1000, { vault: name })
  }
  collectObjects(registry, now)
  for (const path of [...Object.keys(now.settings.templates), ...Object.keys(now.settings.bundles)]) {
    registry.set(metrics.textFailing, now.textProblems.has(path), { path })
  }
}

function collectObjects(registry: Registry, { settings, memory, vaults }: Collected): void {
  for (const metric of [metrics.objectFetched, metrics.objectUpdated, metrics.objectExpiry, metrics.objectNotBefore]) {
    registry.clear(metric)
  }
  for (const [index, { vault: url, type, name, path }] of settings.objects.entries()) {
    const vault = vaults.find((state) => state.url === url)?.name ?? url
    const labels = { vault, type, name, path }
    const record = memory.record(index)
    registry.set(metrics.objectFailing, memory.problems.has(index), labels)
    const { updated, expires, notBefore } = record?.attributes ?? {}
    if (record) registry.set(metrics.objectFetched, record.fetchedAt / 1000, labels)
    if (updated !== undefined) registry.set(metrics.objectUpdated, updated, labels)
    if (expires !== undefined) registry.set(metrics.objectExpiry, expires, labels)
    if (notBefore !== undefined) registry.set(metrics.objectNotBefore, notBefore, labels)
  }
}
