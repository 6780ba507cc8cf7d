import type { Clock } from '../../shared/clock.ts'
import { ListDigest } from '../../shared/detect/list-digest.ts'
import { vaultFailure } from '../../shared/detect/list-group.ts'
import { everyObject } from '../../shared/coordination/source.ts'
import type { ObjectType } from '../../shared/objects/formats.ts'
import {
  defaultMaxPages,
  pageSize,
  type Attributes,
  type ListedObject,
  type Vault,
  type VaultFailure,
} from '../../shared/vault/store.ts'
import type { Budget } from './budget.ts'
import { Failures } from './failures.ts'
import {
  forget,
  isRecent,
  isSameListed,
  takeDigest,
  takeVersions,
  type ListedState,
  type Observed,
} from './observed.ts'

/** What a look needs of the world. */
export interface LookDependencies {
  vault: Pick<Vault, 'list' | 'versions'>
  type: ObjectType
  budget: Budget
  clock: Clock
  abort: AbortSignal
}

/** Times of change are whole seconds: lists that are further apart than this cannot hide a change from each other. */
const settleMs = 1_100
/** Lists of one look, until two agree. */
const mostLists = 3
/** After a change, its objects are looked at once more. */
export const recheckMs = 6_000
/**
 * Requests after which one look lists the versions of no further object of unknown versions, and how long until those of the same
 * object are listed again.
 */
const mostVerified = 20
const verifyAgainMs = 30_000
/** Versions of an object that is looked at: listing them takes 20 requests, half of what a vault's budget holds. */
export const mostWatchedVersions = 500
/** More pages than a list may have. */
const tooManyPages = defaultMaxPages + 1

/** How the objects of one type in a vault were looked at last. */
export interface LookState {
  /** The number of requests that a list takes; 1 before the first. */
  pages: number
  /** Whether the last look was a list. */
  isListed: boolean
  /** Whether there were more unknown objects than one look takes. */
  hasBacklog: boolean
  /** When the last list ended, on the monotonic clock; absent before the first. */
  listedAt?: number
}

/** What a look found. */
export interface Looked {
  /** Names of objects that sidecars have to read again; complete only without a failure. */
  changed: ReadonlySet<string>
  /** Why objects are not looked at any more although the look succeeded for the others. */
  lost: readonly VaultFailure[]
  failure?: VaultFailure
}

/**
 * Looks at objects once: one list, or the versions of each if that is fewer requests. Objects that differ, or that are due
 * to be rechecked, have their versions listed. Never throws.
 * @param objects by name, brought up to date
 */
export async function look(
  objects: ReadonlyMap<string, Observed>,
  state: LookState,
  dependencies: LookDependencies,
): Promise<Looked> {
  const found = { changed: new Set<string>(), lost: [] as VaultFailure[] }
  try {
    await lookAt(objects, found, state, dependencies)
    return found
  } catch (error) {
    return { ...found, failure: vaultFailure(error) }
  }
}

async function lookAt(
  objects: ReadonlyMap<string, Observed>,
  { changed, lost }: { changed: Set<string>; lost: VaultFailure[] },
  state: LookState,
  dependencies: LookDependencies,
): Promise<void> {
  const { clock } = dependencies
  const everything = objects.get(everyObject)
  const named = [...objects].filter(([name]) => name !== everyObject)
  // Sidecars may name any number of objects that do not exist: a list that is too long must not be tried for them.
  const covered = costOf(named.filter(([, { isCovered }]) => isCovered))
  const cost = state.pages < tooManyPages ? costOf(named) : covered
  const isListing = (everything !== undefined && isListDue(everything, state, clock.elapsed())) || cost > state.pages
  const listed = isListing ? await listIfShort(objects, covered, state, dependencies) : undefined
  const now = clock.elapsed()
  const isDoubtful = ([name, observed]: [string, Observed]): boolean =>
    observed.versions !== undefined &&
    ((observed.recheckAt ?? Infinity) <= now ||
      (listed ? !state.isListed || !isSameListed(observed.listed, listed.get(name)) : observed.isCovered === true))
  const failures = new Failures(listed !== undefined)
  const lookAtOne = async ([name, observed]: [string, Observed]): Promise<void> => {
    const before = listed && observed.listed
    const isRecheck = observed.recheckAt !== undefined && observed.recheckAt <= now
    const isChanged = await lookAtVersions(name, observed, dependencies).catch((error: unknown) =>
      failures.add(observed, vaultFailure(error)),
    )
    if (isChanged === undefined) return
    failures.isAnswered = true
    const isOther = before !== undefined && !isSameListed(before, listed?.get(name))
    if (isChanged || isOther) changed.add(name)
    const isFresh = isRecent(observed.newest?.attributes, clock.now())
    if (isChanged || isOther || (isFresh && !isRecheck)) observed.recheckAt = clock.elapsed() + recheckMs
    else delete observed.recheckAt
  }
  try {
    for (const one of named.filter(isDoubtful)) await lookAtOne(one)
    await verify(named, now, state, lookAtOne)
    failures.check()
  } finally {
    lost.push(...failures.lose(clock.elapsed()))
  }
  const digest = listed?.get(everyObject)?.tags
  if (everything && digest !== undefined && takeDigest(everything, digest)) changed.add(everyObject)
  for (const [name, observed] of objects) {
    const seen = listed?.get(name)
    if (seen) observed.listed = seen
    else delete observed.listed
  }
  state.isListed = listed !== undefined
}

/** As long as no sidecar has named a list that exists, lists for it take a tenth of the vault's budget at most. */
const unknownListMs = 2_500

/** Whether to list for sidecars with finds: at each look, unless none of them has shown that it may list the vault. */
const isListDue = ({ isCovered }: Observed, { pages, listedAt = -Infinity }: LookState, now: number): boolean =>
  isCovered === true || listedAt + pages * unknownListMs <= now

/**
 * Looks at objects that nothing is known of yet, or of which a sidecar serves an unknown version: a few at a time, and again only
 * after a while, so that sidecars that name what does not exist do not use up the vault's budget.
 */
async function verify(
  objects: readonly [string, Observed][],
  now: number,
  state: LookState,
  lookAtOne: (one: [string, Observed]) => Promise<void>,
): Promise<void> {
  const isDue = ({ versions, retryAt = -Infinity, isQuestioned, verifiedAt = -Infinity }: Observed): boolean =>
    versions === undefined ? retryAt <= now : isQuestioned === true && verifiedAt + verifyAgainMs <= now
  let requests = 0
  state.hasBacklog = false
  for (const one of objects.filter(([, observed]) => isDue(observed))) {
    state.hasBacklog = requests >= mostVerified
    if (state.hasBacklog) return
    await lookAtOne(one)
    requests += one[1].pages ?? 1
  }
}

/** Returns undefined for a list that is too long, if listing the versions of each object takes fewer requests. */
async function listIfShort(
  objects: ReadonlyMap<string, Observed>,
  cost: number,
  state: LookState,
  dependencies: LookDependencies,
): Promise<ReadonlyMap<string, ListedState> | undefined> {
  try {
    return await settledList(objects, state, dependencies)
  } catch (error) {
    if (vaultFailure(error).code !== 'TooManyPages' || cost > tooManyPages) throw error
    state.pages = tooManyPages
    state.listedAt = dependencies.clock.elapsed()
    // Sidecars whose finds need the list poll.
    const everything = objects.get(everyObject)
    if (everything) forget(everything)
    return undefined
  }
}

/** Lists until two lists show the same of these objects, if the first shows a difference. */
async function settledList(
  objects: ReadonlyMap<string, Observed>,
  state: LookState,
  dependencies: LookDependencies,
): Promise<ReadonlyMap<string, ListedState>> {
  const { clock, abort } = dependencies
  const differs = (one: ReadonlyMap<string, ListedState>, other: (name: string) => ListedState | undefined): boolean =>
    objects.keys().some((name) => other(name) !== undefined && !isSameListed(one.get(name), other(name)))
  let last = await list(objects, state, dependencies)
  if (!differs(last, (name) => objects.get(name)?.listed)) return last
  for (let lists = 1; lists < mostLists; lists++) {
    await clock.wait(settleMs, abort)
    const previous = last
    last = await list(objects, state, dependencies)
    if (!differs(last, (name) => previous.get(name))) break
  }
  return last
}

async function list(
  objects: ReadonlyMap<string, Observed>,
  state: LookState,
  { vault, type, budget, clock, abort }: LookDependencies,
): Promise<ReadonlyMap<string, ListedState>> {
  const tags = new Map<string, string>()
  const digest = objects.has(everyObject) ? new ListDigest() : undefined
  await budget.ready(abort)
  const onItem = (item: ListedObject): void => {
    digest?.add(item)
    const name = item.name.toLowerCase()
    // The tags of a vault may be megabytes; those of watched objects are few.
    if (objects.has(name)) tags.set(name, JSON.stringify(Object.entries(item.tags).toSorted()))
  }
  const { items, pages } = await vault.list(type, abort, { onItem }).catch((error: unknown) => {
    budget.spend(1)
    throw error
  })
  budget.spend(pages)
  state.pages = pages
  state.listedAt = clock.elapsed()
  if (digest) tags.set(everyObject, digest.toString())
  const shown = (attributes: Attributes | undefined, name: string): ListedState => ({
    ...(attributes && { attributes }),
    tags: tags.get(name) ?? '',
  })
  return new Map(Array.from(objects.keys(), (name) => [name, shown(items.get(name), name)]))
}

async function lookAtVersions(
  name: string,
  observed: Observed,
  { vault, type, budget, clock, abort }: LookDependencies,
): Promise<boolean> {
  await budget.ready(abort)
  let requests = 1
  try {
    const versions = await vault.versions(type, name, abort, mostWatchedVersions)
    observed.pages = requests = pagesOf(versions.length)
    observed.verifiedAt = clock.elapsed()
    delete observed.retryAt
    delete observed.isQuestioned
    return takeVersions(observed, versions)
  } catch (error) {
    const failure = vaultFailure(error)
    if (failure.kind !== 'selection') throw failure
    observed.pages = requests = pagesOf(mostWatchedVersions)
    throw failure.restated(`${type} ${name} has more than ${mostWatchedVersions} versions: pods poll it`)
  } finally {
    budget.spend(requests)
  }
}

const pagesOf = (items: number): number => Math.max(1, Math.ceil(items / pageSize))

/** The requests that listing the versions of objects takes, of those that can be looked at. */
const costOf = (objects: readonly [string, Observed][]): number =>
  objects.reduce((sum, [, { pages = 1, retryAt }]) => sum + (retryAt === undefined ? pages : 0), 0)
