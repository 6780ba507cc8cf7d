import { volumeRoot, type FailureKey } from '../../shared/detect/failures.ts'
import { refreshAfter } from '../../shared/detect/read-plan.ts'
import { objectName, type ObjectSpec } from '../../shared/objects/spec.ts'
import type { FileSet } from '../../shared/render/rendered.ts'
import { planDigest } from '../volume/manifest.ts'
import type { StoredSet } from '../volume/volume.ts'
import { addTexts, composeObjects, differences, isTextFailing, textsOf, type Composed } from './compose.ts'
import { describeSet, pendingNotification } from './describe-set.ts'
import type { PollContext, VolumeUpdate } from './context.ts'

/** Switches the volume to a new set if its files differ from those in it; an error of the volume is part of the result. */
export async function updateVolume(context: PollContext): Promise<VolumeUpdate> {
  const { failures } = context
  try {
    const update = await switchIfChanged(context)
    failures.clear(volumeRoot)
    return update
  } catch (error) {
    const { message } = error as Error
    failures.set(volumeRoot, { kind: 'volume', message: `the volume: ${message}`, outlook: 'doubtful' })
    return { missing: [], volumeError: error as NodeJS.ErrnoException }
  }
}

async function switchIfChanged(context: PollContext): Promise<VolumeUpdate> {
  const { settings, cache, volume, volumeCheck, clock, random } = context
  // A template that took too long may succeed now. This costs no request.
  const isQuiet = !cache.isPending && hasSoundSet(context) && !isTextFailing(context)
  if (isQuiet) context.turns?.withdraw()
  if (isQuiet && clock.elapsed() < volumeCheck.dueAt - quietMsOf(context)) return { missing: [] }
  const stored = await volume.read()
  if (stored?.tampered && !volumeCheck.isRestoring) return startRestoring(stored.tampered, context)
  volumeCheck.dueAt = clock.elapsed() + refreshAfter(settings.fullRefresh, random)
  if (isQuiet && stored) return { missing: [] }
  const previous = stored?.manifest.plan === planDigest(settings) ? stored : undefined
  const set = await composeSet(previous, context)
  if (!isSwitchable(set, context)) return postpone(set, context)
  const paths = differences(stored?.files ?? new Map(), set.files)
  if (previous && paths.size === 0 && !stored?.tampered) return keepSet(previous, context)
  if (previous && hasSoundSet(context)) {
    // The rendered files stay in memory until the pod has its turn.
    const mayBegin = context.turns?.ask({ set, previous, paths }, cache) ?? true
    if (!mayBegin) return { missing: [], current: previous.manifest }
  }
  return switchTo(set, { stored, previous, paths }, context)
}

/** How long no ordinary poll of any vault may come, in milliseconds; 0 for a pod without objects. */
function quietMsOf({ cache, quietMs }: PollContext): number {
  const vaults = new Set(cache.sources.map(({ vault }) => vault))
  return vaults.size === 0 ? 0 : Math.min(...vaults.values().map(quietMs))
}

/** Has all objects read again by the polls that follow: which of them the changed files belong to matters little. */
function startRestoring(tampered: readonly string[], { cache, volumeCheck }: PollContext): VolumeUpdate {
  volumeCheck.isRestoring = true
  cache.invalidate()
  return { missing: [], tampered }
}

async function composeSet(previous: StoredSet | undefined, context: PollContext): Promise<Composed> {
  const { settings, cache, failures } = context
  const objects = composeObjects(settings, previous, cache.pending, cache.selection)
  const texts = objects.missing.length > 0 ? new Map<string, Uint8Array>() : await renderTexts(objects.files, context)
  const set = await addAll(objects, { previous, texts, context })
  for (const path of texts.keys()) {
    if (failures.isRendered(path)) continue
    failures.clear(path)
    cache.expectSwitch()
  }
  return set
}

interface Parts {
  previous: StoredSet | undefined
  /** Templates and bundles; those that have to keep their last good file are removed from them. */
  texts: Map<string, Uint8Array>
  context: PollContext
}

/** Adds templates, bundles and variables to the objects. */
async function addAll(objects: Composed, parts: Parts): Promise<Composed> {
  const { settings } = parts.context
  const set = addTexts(settings, parts.previous, objects, parts.texts)
  if (settings.variables === undefined || set.missing.length > 0) return set
  const { addVariables, sizeObstacle } = await import('./variables.ts')
  const obstacle = sizeObstacle(settings, set)
  if (obstacle === undefined) return addVariables(settings, set)
  const kept = keepVariables(settings.variables, obstacle, parts)
  return kept.missing.length > 0 ? kept : addVariables(settings, kept)
}

/** Composes a set in which everything that a variable is read from keeps its last good file. */
function keepVariables(
  variables: Readonly<Record<string, string>>,
  obstacle: string,
  { previous, texts, context }: Parts,
): Composed {
  const { settings, cache, failures } = context
  const paths = new Set(Object.values(variables))
  const fail = (key: FailureKey, what: string): void =>
    failures.set(key, { kind: 'render', message: `${what}: ${obstacle}`, outlook: 'permanent' })
  for (const [index, files] of cache.pending) {
    if (!files.some(({ path }) => paths.has(path))) continue
    cache.pending.delete(index)
    fail(index, objectName(settings.objects[index] as ObjectSpec))
  }
  for (const path of paths) if (texts.delete(path)) fail(path, `template "${path}"`)
  return addTexts(settings, previous, composeObjects(settings, previous, cache.pending, cache.selection), texts)
}

/**
 * Renders the templates and bundles of a set that an earlier process left. One whose file has other bytes failed in that process; it
 * counts as failing until the next poll switches it in.
 */
export async function checkTexts(
  { files }: Pick<StoredSet, 'files'>,
  context: Pick<PollContext, 'settings' | 'render' | 'failures' | 'cache'>,
): Promise<void> {
  const texts = await renderTexts(files, context)
  for (const { path, type } of textsOf(context.settings)) {
    const [text, file] = [texts.get(path), files.get(path)]
    if (text === undefined || (file && Buffer.from(file.content).equals(text))) continue
    const message = `${type} "${path}": its file is older than the objects in it; the next poll renders it again`
    context.failures.set(path, { kind: 'render', message, outlook: 'transient' })
  }
}

/** Templates and bundles by path; failures are noted. */
async function renderTexts(
  files: FileSet,
  { render, failures, cache }: Pick<PollContext, 'render' | 'failures' | 'cache'>,
): Promise<Map<string, Uint8Array>> {
  const texts = new Map<string, Uint8Array>()
  for (const [path, result] of await render.texts(files, cache.selection?.matches)) {
    if (result.ok) texts.set(path, result.value)
    else failures.set(path, { kind: 'render', message: result.problems.join('; '), outlook: 'permanent' })
  }
  return texts
}

/** True if a set is complete, and no object remains unread that a first or a restored set may have. */
const isSwitchable = ({ missing }: Composed, context: PollContext): boolean =>
  missing.length === 0 && (hasSoundSet(context) || context.cache.isTried)

/** True if a set is served and the volume is not known to differ from it. */
const hasSoundSet = ({ isServing, volumeCheck }: PollContext): boolean => isServing() && !volumeCheck.isRestoring

/** If what was served is no longer in the volume, all of it is read again. */
function postpone({ missing }: Composed, context: PollContext): VolumeUpdate {
  if (hasSoundSet(context)) context.cache.invalidate()
  return { missing }
}

/** The set in the volume is up to date. */
async function keepSet(
  set: StoredSet,
  { cache, volume, volumeCheck, isServing, turns }: PollContext,
): Promise<VolumeUpdate> {
  volumeCheck.isRestoring = false
  cache.clearPending()
  turns?.withdraw()
  // If a previous process' set could not be read at the start, neither could the notification that it left.
  const notification = isServing() ? undefined : await pendingNotification(set, volume)
  return { missing: [], current: set.manifest, ...(notification && { notification }) }
}

async function switchTo(
  set: Composed,
  change: { stored: StoredSet | undefined; previous: StoredSet | undefined; paths: ReadonlySet<string> },
  context: PollContext,
): Promise<VolumeUpdate> {
  const { cache, volume, volumeCheck, turns } = context
  const current = await describeSet(set, { ...change, turn: turns?.held }, context)
  await volume.switchTo(set.files, current)
  volumeCheck.isRestoring = false
  cache.clearPending()
  const { notification } = current
  turns?.switched(notification !== undefined)
  return { missing: [], current, switched: { set, paths: change.paths }, ...(notification && { notification }) }
}
