import { readVault, type KnownSources, type ReadResult } from '../../shared/detect/read-vault.ts'
import type { Known } from '../../shared/detect/read-plan.ts'
import type { Source } from '../../shared/detect/sources.ts'
import type { SelectionChange } from '../../shared/detect/selection.ts'
import type { PollContext, PollResult, VolumeUpdate } from './context.ts'
import { updateVolume } from './update-volume.ts'

/**
 * One poll: finds and reads what changed in a vault, renders it, updates the volume if files differ, and notifies the app.
 * @param url the vault's
 * @param hinted sources that a coordinator named: nothing else is requested
 */
export async function pollVault(url: string, context: PollContext, hinted?: readonly Source[]): Promise<PollResult> {
  const { cache, failures, render, abort, exclusively } = context
  const answered = await (hinted ? readHinted(hinted, context) : readChanges(url, context))
  return exclusively(async () => {
    // What the end of the run cut short says nothing about the vault.
    if (abort.aborted) return { read: answered, warnings: [], missing: [] }
    const { read, selected } = await select(url, answered, context)
    const rendered = await render.objects(cache.changed(read), cache.selection?.matches)
    cache.update(read, rendered)
    failures.update(cache.sourcesIn(url), read, rendered)
    const update = await applyPending(context)
    const warnings = Array.from(rendered.values()).flatMap((result) => (result.ok ? result.value.warnings : []))
    return { read, warnings, ...(selected && { selected }), ...update }
  })
}

/** Switches to what earlier polls read: its turn has come. */
export const switchPending = (context: PollContext): Promise<VolumeUpdate> =>
  context.exclusively(async () => (context.abort.aborted ? { missing: [] } : applyPending(context)))

/** Switches to the set that was rendered, and notifies the app; to be run exclusively. */
async function applyPending(context: PollContext): Promise<VolumeUpdate> {
  const update = await updateVolume(context)
  if (update.notification) context.notify(update.notification)
  return update
}

async function readChanges(url: string, context: PollContext): Promise<ReadResult> {
  const { cache, settings } = context
  const { contents, listing, isFailing } = cache
  const quietMs = context.quietMs(url)
  const known = (source: Source): Known | undefined => {
    const one = cache.known(source)
    return one && { ...one, refreshAt: one.refreshAt - quietMs }
  }
  if (!cache.selection) return readVault(cache.sourcesIn(url), { known, contents, listing, isFailing }, context)
  const { searchVault } = await import('../../shared/detect/search.ts')
  const search = await searchVault(url, cache.selection, settings.objects, context)
  const previous: KnownSources = {
    known: (source) => (search.isNew(source) ? undefined : known(source)),
    ...{ contents, listing, isFailing },
  }
  return readVault(search.sources, previous, context, search)
}

/** One GET for each source: the coordinator has confirmed for the whole fleet that nothing else moves meanwhile. */
function readHinted(sources: readonly Source[], context: PollContext): Promise<ReadResult> {
  const { known, contents, isFailing } = context.cache
  const listing = () => ({ avoidUntil: Infinity, refused: true })
  return readVault(sources, { known, contents, isFailing, listing }, context)
}

/** Makes what finds found the selection, if the vault has finds. */
async function select(
  url: string,
  read: ReadResult,
  { cache, failures }: PollContext,
): Promise<{ read: ReadResult; selected?: SelectionChange }> {
  const { selection } = cache
  if (!selection || !read.search) return { read }
  const { applySearch, readOf } = await import('../../shared/detect/search.ts')
  const selected = applySearch(
    read.search,
    { selection, select: (change: SelectionChange) => cache.select(change) },
    failures,
  )
  return { read: readOf(read, cache.sourcesIn(url)), selected }
}
