import { randomUUID } from 'node:crypto'

import type { Settings } from '../shared/settings.ts'
import type { Clock } from './clock.ts'
import { addTexts, composeObjects, differences, textsOf, type Composed, type Missing } from './compose.ts'
import { nextProblem, type Memory, type Problem } from './memory.ts'
import { mergeNotifications, type ChangedObject, type Notification } from './notify/notification.ts'
import { drawSplay } from './notify/splay.ts'
import { refreshAfter } from './schedule.ts'
import { readVault, type Asking, type Findings } from './read.ts'
import type { Rendered } from './render/rendered.ts'
import type { Source } from './sources.ts'
import type { Fetched } from './vault/vault.ts'
import type { FileSet } from './volume/file-set.ts'
import { planDigest, type Manifest } from './volume/manifest.ts'
import type { StoredSet, Volume } from './volume/volume.ts'

/** Makes files of what was read. */
export interface Render {
  object: (index: number, versions: readonly Fetched[]) => Promise<Rendered>
  /** Templates and bundles by path, of the objects' files; a failed one, with its message, does not stop the others. */
  texts: (files: FileSet) => Promise<ReadonlyMap<string, Uint8Array | string>>
}

/** What a tick works with. */
export interface TickParts {
  settings: Settings
  memory: Memory
  asking: Asking
  render: Render
  volume: Pick<Volume, 'read' | 'switchTo' | 'notified'>
  /** Tells the app, in its own time. */
  notify: (notification: Notification) => void
  clock: Pick<Clock, 'now' | 'elapsed'>
  random: () => number
  /** When the volume is next compared with what was written, on the clock that never goes back, and whether a difference waits to be restored. */
  check: { dueAt: number; isRestoring: boolean }
  /** Whether a complete set is in the volume and served. */
  isServing: () => boolean
  /** Templates and bundles that could not be made, by path. */
  textProblems: Map<string, Problem>
  /** Runs one switch at a time: vaults are polled side by side. */
  exclusively: <T>(task: () => Promise<T>) => Promise<T>
}

/** What became of a tick. */
export interface Ticked {
  found: Findings
  warnings: string[]
  /** The set in the volume, where this tick looked at it and it is complete. */
  current?: Manifest
  /** What was switched in: the new set, and the paths in which it differs. */
  switched?: { set: Composed; paths: ReadonlySet<string> }
  /** What something other than the sidecar changed in the volume, when that is first seen. */
  tampered?: readonly string[]
  /** What a first set still lacks. */
  missing: Missing[]
  /** Why the volume could not be read or written; what was to be switched in waits for the next tick. */
  volumeError?: NodeJS.ErrnoException
}

/** One tick: find out what changed in a vault and read it, make files of it, switch if they differ, tell the app. */
export async function tick(sources: readonly Source[], parts: TickParts): Promise<Ticked> {
  const found = await readVault(sources, parts.memory, parts.asking)
  return parts.exclusively(async () => {
    // What was cut short by the end of the run is no finding.
    if (parts.asking.signal.aborted) return { found, warnings: [], missing: [] }
    const warnings = await parts.memory.learn(found, parts.render.object)
    try {
      return { found, warnings, ...(await switchIn(parts)) }
    } catch (error) {
      return { found, warnings, missing: [], volumeError: error as NodeJS.ErrnoException }
    }
  })
}

async function switchIn(parts: TickParts): Promise<Pick<Ticked, 'current' | 'switched' | 'missing' | 'tampered'>> {
  const { settings, memory, volume, isServing, check, clock, random } = parts
  const isQuiet = memory.fresh.size === 0 && isServing() && !check.isRestoring
  if (isQuiet && clock.elapsed() < check.dueAt) return { missing: [] }
  const stored = await volume.read()
  if (stored?.tampered && !check.isRestoring) {
    // Which objects the changed files are of matters little: all are read again, by the polls that follow.
    check.isRestoring = true
    memory.forget()
    return { missing: [], tampered: stored.tampered }
  }
  check.dueAt = clock.elapsed() + refreshAfter(settings.fullRefresh, random)
  if (isQuiet && stored) return { missing: [] }
  const before = stored?.manifest.plan === planDigest(settings) ? stored : undefined
  const objects = composeObjects(settings, before, memory.fresh)
  const texts = objects.missing.length > 0 ? new Map() : await makeTexts(objects.files, parts)
  const set = addTexts(settings, before, objects, texts)
  if (set.missing.length > 0 || !((isServing() && !check.isRestoring) || memory.isTried)) {
    // What was served is no longer in the volume: all of it is read again.
    if (isServing() && !check.isRestoring) memory.forget()
    return { missing: set.missing }
  }
  const paths = differences(stored?.files ?? new Map(), set.files)
  if (before && paths.size === 0 && !stored?.tampered) {
    check.isRestoring = false
    memory.settle()
    // Where an earlier process' set could not be read at the start, neither could what the app is still to be told.
    const untold = isServing() ? undefined : await undelivered(before, volume)
    if (untold) parts.notify(untold)
    return { missing: [], current: before.manifest }
  }
  const current = await describe(set, { stored, before, paths }, parts)
  await volume.switchTo(set.files, current)
  check.isRestoring = false
  memory.settle()
  if (current.notification) parts.notify(current.notification)
  return { missing: [], current, switched: { set, paths } }
}

/** Templates and bundles that can be made; the others' problems are noted. */
export async function makeTexts(
  files: FileSet,
  { render, textProblems, clock }: Pick<TickParts, 'render' | 'textProblems' | 'clock'>,
): Promise<Map<string, Uint8Array>> {
  const texts = new Map<string, Uint8Array>()
  for (const [path, made] of await render.texts(files)) {
    if (typeof made === 'string') {
      const failure = { kind: 'render', message: made, outlook: 'permanent' } as const
      textProblems.set(path, nextProblem(textProblems.get(path), failure, clock))
    } else {
      texts.set(path, made)
      textProblems.delete(path)
    }
  }
  return texts
}

/** The manifest of a new set, with what the app is to be told: nothing where it never saw another set. */
async function describe(
  set: Composed,
  {
    stored,
    before,
    paths,
  }: { stored: StoredSet | undefined; before: StoredSet | undefined; paths: ReadonlySet<string> },
  { settings, memory, volume, clock, random }: TickParts,
): Promise<Manifest> {
  const switchedAt = clock.now()
  const manifest: Manifest = {
    schema: 1,
    plan: planDigest(settings),
    switchedAt,
    files: Object.fromEntries(Array.from(set.files, ([path, { mode }]) => [path, mode])),
    objects: set.objects,
    sources: memory.records(),
  }
  if (!stored) return manifest
  const untold = await undelivered(stored, volume)
  if (paths.size === 0) return untold ? { ...manifest, notification: untold } : manifest
  const dueAt = switchedAt + drawSplay(settings.notify.splay, random)
  const changed = changedObjects(set, before, paths, { settings, memory })
  const notification = { id: randomUUID(), switchedAt, dueAt, changed }
  return { ...manifest, notification: mergeNotifications(untold, notification) }
}

/** The change that the app has not been told of yet, if any. */
export async function undelivered(
  { manifest }: StoredSet,
  volume: Pick<Volume, 'notified'>,
): Promise<Notification | undefined> {
  // prettier-ignore
  const { notification } = manifest
  return notification && notification.id !== (await volume.notified()) ? notification : undefined
}

function changedObjects(
  set: Composed,
  before: StoredSet | undefined,
  paths: ReadonlySet<string>,
  { settings, memory }: Pick<TickParts, 'settings' | 'memory'>,
): ChangedObject[] {
  const changed: ChangedObject[] = []
  for (const [index, { type, name }] of settings.objects.entries()) {
    const touched = new Set([...(before?.manifest.objects[index] ?? []), ...(set.objects[index] ?? [])])
    const own = [...touched].filter((path) => paths.has(path))
    if (own.length > 0) changed.push({ type, name, version: memory.version(index) ?? '', paths: own })
  }
  for (const { path, type } of textsOf(settings)) {
    if (paths.has(path)) changed.push({ type, name: path, version: '', paths: [path] })
  }
  return changed
}
