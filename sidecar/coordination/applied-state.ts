import type { ObjectState, PodState } from '../../shared/coordination/pod-state.ts'
import { objectKey, watchedObject } from '../../shared/coordination/source.ts'
import { volumeRoot } from '../../shared/detect/failures.ts'
import { isFixed, type Source } from '../../shared/detect/sources.ts'
import { signals } from '../../shared/signals.ts'
import type { AppliedFacts } from '../poll/coordination.ts'

/** Returns what a sidecar has applied, as it says it: versions, times and reasons, never a secret value. */
export function appliedState(facts: AppliedFacts): PodState {
  const { settings, cache, isServing, isSuspended } = facts
  const { pending, channels, permission } = facts.notifier
  const objects = new Map<string, ObjectState>()
  // Of two sources of an object, the one that follows the newest version counts.
  for (const source of cache.sources.toSorted((one, other) => Number(isFixed(other)) - Number(isFixed(one)))) {
    // The app does without an optional object that it never had.
    if (source.optional && isServing && !cache.record(source.objects[0] ?? -1)) continue
    const object = objectState(source, facts)
    objects.set(objectKey(object), object)
  }
  const failed = pending?.waitingFor.map((name) => channels[name]).find((one) => one && one.outcome !== 'delivered')
  return {
    ...{ isServing, isSuspended },
    ...(failed && { outcome: failed.outcome }),
    ...(settings.coordinator?.owner && { owner: settings.coordinator.owner }),
    ...(permission && { permission: permission.unhandled ? 'not-handled' : permission.outcome }),
    objects: [...objects.values()],
  }
}

function objectState(source: Source, facts: AppliedFacts): ObjectState {
  const { cache, failures, isServing, served } = facts
  const read = served?.has(source.key) ? served.get(source.key) : cache.record(source.objects[0] ?? -1)
  const record = isServing ? read : undefined
  const failure = source.objects.map((one) => failures.get(one)).find(Boolean) ?? failures.get(volumeRoot)
  return {
    ...watchedObject(source),
    ...(record && { version: record.version, readAt: record.fetchedAt }),
    isPinned: isFixed(source),
    notified: record ? notifiedOf(source, record.version, facts) : 'pending',
    ...(failure && { problem: { kind: failure.kind, message: failure.message } }),
  }
}

function notifiedOf(source: Source, version: string, facts: AppliedFacts): ObjectState['notified'] {
  const { settings, startVersions, notifier } = facts
  if (startVersions?.get(source.key) === version) return 'yes'
  const { type, name } = source
  const isPending = notifier.pending?.changed.some(
    (one) => one.type === type && one.name === name && one.version === version,
  )
  if (isPending) return 'pending'
  const { signal, url } = settings.notify
  const isRestarted = signal !== undefined && signals[signal.name].terminates
  if (!isRestarted && isVariable(source, facts)) return 'variable'
  return signal === undefined && url === undefined ? 'none' : 'yes'
}

/** Whether an environment variable has the content of the object. */
function isVariable({ objects }: Source, { settings, cache }: AppliedFacts): boolean {
  const paths = new Set(Object.values(settings.variables ?? {}))
  return paths.size > 0 && objects.some((index) => paths.has(cache.object(index)?.path ?? ''))
}
