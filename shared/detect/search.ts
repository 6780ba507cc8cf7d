import type { FindSpec } from '../objects/find.ts'
import type { ObjectSpec } from '../objects/spec.ts'
import { VaultFailure, type ListedObject, type Vault } from '../vault/store.ts'
import { listGroup, type GroupList } from './list-group.ts'
import { ListDigest } from './list-digest.ts'
import { groupOf } from './read-plan.ts'
import type { Failures } from './failures.ts'
import type { ReadResult } from './read-vault.ts'
import type { Listed, Search, Selection, SelectionChange } from './selection.ts'
import { sourcesOf, type Source } from './sources.ts'

/**
 * Lists what the finds of a vault need, and proposes a selection.
 * @param url the vault's
 * @param objects the named objects of the pod
 */
export async function searchVault(
  url: string,
  selection: Selection,
  objects: readonly ObjectSpec[],
  { vault, abort }: { vault: (find: FindSpec) => Vault; abort: AbortSignal },
): Promise<Search> {
  const finds = [...selection.finds.keys()].filter((find) => selection.finds[find]?.vault === url)
  const groups = Map.groupBy(finds, (find) => groupOf(selection.finds[find]!))
  const lists = new Map<string, GroupList>()
  const listed = new Map<number, Listed>()
  const digests = new Map<string, string>()
  const failures = new Map<number, VaultFailure>()
  const { maxPages } = selection
  await Promise.all(
    Array.from(groups, async ([group, members]) => {
      const [first] = members.map((find) => selection.finds[find]!)
      const { onItem, listed: found } = selection.collect(members)
      const digest = new ListDigest()
      const take = (item: ListedObject): void => {
        onItem(item)
        digest.add(item)
      }
      const list = await listGroup(vault(first!), first!.type, abort, { maxPages, onItem: take })
      lists.set(group, list)
      if ('items' in list) digests.set(group, digest.toString())
      // An incomplete list shows neither what is there nor what is not.
      for (const find of members) {
        if ('items' in list) listed.set(find, found.get(find)!)
        else failures.set(find, explain(list.failure))
      }
    }),
  )
  const { matches } = selection.propose(listed)
  const sources = sourcesOf(objects, matches).filter((source) => source.vault === url)
  const isNew = (source: Source) => source.objects.some((index) => matches.has(index) && !selection.matches.has(index))
  return { finds, lists, listed, digests, failures, sources, isNew }
}

/**
 * Makes what was found the selection. To be called when no other vault's poll does, because the files of finds in two vaults may
 * conflict.
 */
export function applySearch(
  { listed, digests, failures }: Search,
  cache: { selection: Selection; select: (change: SelectionChange) => void },
  known: Pick<Failures, 'clear'>,
): SelectionChange {
  const { selection } = cache
  const proposal = selection.propose(listed)
  for (const [find, problem] of proposal.problems) failures.set(find, new VaultFailure('selection', problem))
  const change = selection.apply(proposal)
  selection.noteLists(digests)
  cache.select(change)
  for (const index of change.removedIndices) known.clear(index)
  return change
}

/**
 * What was read, of the sources as they are now that the selection was applied: another vault's poll may have changed it since they
 * were read.
 */
export function readOf(read: ReadResult, sources: readonly Source[]): ReadResult {
  const current = new Map(sources.map((source) => [source.key, source]))
  const only = <T>(of: ReadonlyMap<Source, T>): Map<Source, T> =>
    new Map(
      [...of].flatMap(([{ key }, value]) => {
        const source = current.get(key)
        return source ? [[source, value] as const] : []
      }),
    )
  const unchanged = read.unchanged.flatMap(({ key }) => current.get(key) ?? [])
  return { ...read, reads: only(read.reads), failures: only(read.failures), unread: only(read.unread), unchanged }
}

/** A find has nothing else to go by than the list. */
function explain(failure: VaultFailure): VaultFailure {
  if (failure.code === 'TooManyPages')
    return failure.restated(
      `${failure.message}: a find needs all of them; use a smaller vault, or ask the administrator to raise find.maxPages of the injector's configuration`,
      { kind: 'selection', outlook: 'permanent' },
    )
  return failure.kind === 'forbidden'
    ? failure.restated(`${failure.message} (for the whole vault, because a find lists it)`)
    : failure
}
