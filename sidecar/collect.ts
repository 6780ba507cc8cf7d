import { metrics, type Registry } from './metrics.ts'
import type { NotifierStatus } from './notify/notifier.ts'
import { isStale, type State } from './state.ts'

/** Brings the gauges up to date. Their number is bounded by the settings: vaults, objects, templates and bundles. */
export function collect(registry: Registry, state: State, { pending }: NotifierStatus): void {
  const { settings, live, vaults, textProblems } = state
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
  collectObjects(registry, state)
  for (const path of [...Object.keys(settings.templates), ...Object.keys(settings.bundles)]) {
    registry.set(metrics.textFailing, textProblems.has(path), { path })
  }
}

function collectObjects(registry: Registry, { settings, memory, vaults }: State): void {
  for (const metric of [metrics.objectFetched, metrics.objectUpdated, metrics.objectExpiry, metrics.objectNotBefore]) {
    registry.clear(metric)
  }
  for (const [index, { vault: url, type, name, path }] of settings.objects.entries()) {
    const vault = vaults.find((one) => one.url === url)?.name ?? url
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
