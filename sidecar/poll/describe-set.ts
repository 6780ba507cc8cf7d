import { randomUUID } from 'node:crypto'
import type { ObjectSpec } from '../../shared/objects/spec.ts'
import { mergeNotifications, type ChangedObject, type Notification } from '../notify/notification.ts'
import { drawSplay } from '../notify/splay.ts'
import { planDigest, type Manifest } from '../volume/manifest.ts'
import type { StoredSet, Volume } from '../volume/volume.ts'
import { textsOf, type Composed } from './compose.ts'
import type { PollContext } from './context.ts'
import type { HeldTurn } from './turns.ts'

/** How a new set differs from the one in the volume. */
interface SetChange {
  /** What is in the volume. */
  stored: StoredSet | undefined
  /** The same, if it was made for the same settings. */
  previous: StoredSet | undefined
  /** The paths of the files that differ. */
  paths: ReadonlySet<string>
  /** The turn that the pod has for it: replicas take turns instead of drawing delays. */
  turn?: HeldTurn | undefined
}

/** The manifest of a new set, with the notification for the app unless it has never seen another set. */
export async function describeSet(
  set: Composed,
  change: SetChange,
  context: Pick<PollContext, 'settings' | 'cache' | 'volume' | 'clock' | 'random'>,
): Promise<Manifest> {
  const { settings, cache, clock } = context
  const manifest: Manifest = {
    schema: 1,
    plan: planDigest(settings),
    switchedAt: clock.now(),
    files: Object.fromEntries(Array.from(set.files, ([path, { mode }]) => [path, mode])),
    objects: set.objects,
    ...(cache.selection && { found: cache.selection.records() }),
    sources: cache.records(),
    ...(change.turn && { turn: change.turn }),
  }
  const notification = await nextNotification(set, change, manifest.switchedAt, context)
  return notification ? { ...manifest, notification } : manifest
}

async function nextNotification(
  set: Composed,
  { stored, previous, paths, turn }: SetChange,
  switchedAt: number,
  { settings, cache, volume, random }: Pick<PollContext, 'settings' | 'cache' | 'volume' | 'random'>,
): Promise<Notification | undefined> {
  if (!stored) return undefined
  const pending = await pendingNotification(stored, volume)
  if (paths.size === 0) return pending
  const dueAt = switchedAt + drawSplay(settings.notify.splay, random)
  const changed = changedObjects(set, { previous, paths }, { settings, cache })
  const merged = mergeNotifications(pending, { id: randomUUID(), switchedAt, dueAt, changed })
  return turn ? { ...merged, dueAt: switchedAt } : merged
}

/** The change that the app has not been notified of yet, if there is one. */
export async function pendingNotification(
  { manifest: { notification } }: StoredSet,
  volume: Pick<Volume, 'notified'>,
): Promise<Notification | undefined> {
  return notification && notification.id !== (await volume.notified()) ? notification : undefined
}

function changedObjects(
  set: Composed,
  { previous, paths }: Pick<SetChange, 'previous' | 'paths'>,
  { settings, cache }: Pick<PollContext, 'settings' | 'cache'>,
): ChangedObject[] {
  const changed: ChangedObject[] = []
  for (const [index, { type, name }] of [...cache.objects(), ...endedMatches(previous, cache)]) {
    const own = changedPaths(index, { set, previous, paths })
    if (own.length > 0) changed.push({ type, name, version: cache.version(index) ?? '', paths: own })
  }
  for (const { path, type } of textsOf(settings)) {
    if (paths.has(path)) changed.push({ type, name: path, version: '', paths: [path] })
  }
  return changed
}

/** The files of an object that differ, by the object's index. */
export function changedPaths(
  index: number,
  { set, previous, paths }: Pick<SetChange, 'previous' | 'paths'> & { set: Composed },
): string[] {
  const touched = new Set([...(previous?.manifest.objects[index] ?? []), ...(set.objects[index] ?? [])])
  return [...touched].filter((path) => paths.has(path))
}

/** The matches of a set that are no longer selected. */
export function endedMatches(
  previous: StoredSet | undefined,
  { selection }: Pick<PollContext['cache'], 'selection'>,
): [index: number, object: Pick<ObjectSpec, 'vault' | 'type' | 'name'>][] {
  const ended = Object.entries(previous?.manifest.found ?? {}).filter(
    ([index]) => !selection?.matches.has(Number(index)),
  )
  return ended.flatMap(([index, { find, name }]) => {
    const { vault, type } = selection?.finds[find] ?? {}
    return vault === undefined || type === undefined ? [] : [[Number(index), { vault, type, name }] as const]
  })
}
