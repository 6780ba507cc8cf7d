import { findName, matchedObject, matchesName, selects, type FindSpec } from '../objects/find.ts'
import { filesOf, objectName, tooMany, type ObjectSpec } from '../objects/spec.ts'
import { pathProblem } from '../paths.ts'
import { printable } from '../printable.ts'
import { plannedFiles } from '../settings/rules.ts'
import type { Settings } from '../settings/codec.ts'
import type { ListedObject, VaultFailure } from '../vault/store.ts'
import type { GroupList } from './list-group.ts'
import { Occupied } from './occupied.ts'
import { groupOf } from './read-plan.ts'
import type { Source } from './sources.ts'

/** A match in the manifest: which find selected it, and its name. */
export interface FoundRecord {
  find: number
  name: string
}

/** A match, and the object that it became. */
export interface Match extends FoundRecord {
  group: string | undefined
  object: ObjectSpec
}

/** What a complete list showed to one find. */
export interface Listed {
  /** As the list spells them; not all, if they are more than may be selected. */
  names: string[]
  /** How many were there. */
  count: number
}

/** A selection that a poll may switch to. */
export interface Proposal {
  /** By the index that the object has. */
  matches: ReadonlyMap<number, Match>
  /** Why a find could not take over everything that it found. */
  problems: ReadonlyMap<number, string>
  /** The finds that the proposal is about. */
  finds: readonly number[]
}

/** How a selection changed. */
export interface SelectionChange {
  added: Match[]
  removed: Match[]
  /** Indices of the objects that are new, and of those that ended. */
  addedIndices: ReadonlySet<number>
  removedIndices: readonly number[]
}

/** What the finds of a vault found in one poll. */
export interface Search {
  /** The finds that were searched for. */
  finds: readonly number[]
  /** The lists by group. */
  lists: ReadonlyMap<string, GroupList>
  /** By the index of the find, if its list is complete. */
  listed: ReadonlyMap<number, Listed>
  /** Identifies what the complete lists showed, by group. */
  digests: ReadonlyMap<string, string>
  /** Why a find could not be searched for, or not take over everything. */
  failures: Map<number, VaultFailure>
  /** The sources of the vault if the selection is what was found. */
  sources: readonly Source[]
  /** True if an object of the source was not selected before: what was read earlier was not rendered for it. */
  isNew: (source: Source) => boolean
}

/** A list that finds need, of the objects of one type in a vault. */
export interface FoundList extends Pick<FindSpec, 'vault' | 'type'> {
  /** Identifies what it showed when all of them took over what they found; absent if one of them could not. */
  digest?: string
  /** Its finds, by their indices. */
  finds: readonly number[]
}

type Plan = Pick<Settings, 'objects' | 'find' | 'templates' | 'bundles'>

const namePattern = /^[0-9a-zA-Z-]{1,127}$/
/** Conflicts that one message lists. */
const mostListed = 3

/**
 * The objects that the finds of a pod have selected. Each has an index behind those of the named objects, which is its own as long as
 * it is selected, and which no other object of this process gets.
 */
export class Selection {
  readonly finds: readonly FindSpec[]
  readonly maxPages: number
  readonly #maxMatches: number
  readonly #plan: Plan
  readonly #complete = new Set<number>()
  readonly #indices = new Map<string, number>()
  #next: number
  #matches: ReadonlyMap<number, Match> = new Map()
  /** By group. */
  readonly #digests = new Map<string, string>()

  constructor(plan: Plan & { find: NonNullable<Settings['find']> }) {
    const { finds, maxPages, maxMatches } = plan.find
    this.finds = finds
    this.maxPages = maxPages
    this.#maxMatches = maxMatches
    this.#plan = plan
    this.#next = plan.objects.length
  }

  /** By the object's index. */
  get matches(): ReadonlyMap<number, Match> {
    return this.#matches
  }

  /** True if all matches of the find were taken over at least once. */
  isComplete = (find: number): boolean => this.#complete.has(find)

  /** Collects what a list shows to finds. */
  collect(finds: readonly number[]): { onItem: (item: ListedObject) => void; listed: Map<number, Listed> } {
    const listed = new Map<number, Listed>(finds.map((find) => [find, { names: [], count: 0 }]))
    const onItem = (item: ListedObject): void => {
      for (const [index, found] of listed) {
        const find = this.finds[index]
        if (!find || !selects(find, item)) continue
        found.count++
        if (found.count <= this.#maxMatches) found.names.push(item.name)
      }
    }
    return { onItem, listed }
  }

  /**
   * The selection after complete lists. A find with too many matches keeps what it has; of matches whose files conflict, the one that
   * was there first stays. Nothing changes until {@link apply}.
   */
  propose(listed: ReadonlyMap<number, Listed>): Proposal {
    const problems = new Map<number, string>()
    const accepted = new Map<number, Listed>()
    for (const [find, found] of listed) {
      if (found.count <= this.#maxMatches) accepted.set(find, found)
      else problems.set(find, this.#tooManyMatches(find, found.count))
    }
    const matches = new Map(
      [...this.#matches].filter(([, { find, name }]) => accepted.get(find)?.names.includes(name) ?? true),
    )
    const { objects, templates, bundles } = this.#plan
    const occupied = new Occupied(plannedFiles({ objects, templates, bundles }))
    for (const { find, name, object } of matches.values()) occupied.add(filesOf(object), this.#nameOf(find, name))
    for (const [find, { names }] of accepted) {
      const problem = this.#add(find, names, matches, occupied)
      if (problem !== undefined) problems.set(find, problem)
    }
    return { matches, problems, finds: [...listed.keys()] }
  }

  /** Takes a proposal over. */
  apply({ matches, problems, finds }: Proposal): SelectionChange {
    const previous = this.#matches
    this.#matches = matches
    for (const find of finds) if (!problems.has(find)) this.#complete.add(find)
    const added = [...matches].filter(([index]) => !previous.has(index))
    const removed = [...previous].filter(([index]) => !matches.has(index))
    for (const [, match] of removed) this.#indices.delete(keyOf(match))
    return {
      added: added.map(([, match]) => match),
      removed: removed.map(([, match]) => match),
      addedIndices: new Set(added.map(([index]) => index)),
      removedIndices: removed.map(([index]) => index),
    }
  }

  /**
   * Takes over the selection of a set that an earlier process left in the volume; only complete selections are switched in. Another
   * process of the sidecar's user may have changed the manifest: what the finds could not have selected is left out.
   */
  restore(found: Readonly<Record<number, FoundRecord>>): void {
    const matches = new Map<number, Match>()
    for (const [text, { find: index, name }] of Object.entries(found).slice(0, this.finds.length * this.#maxMatches)) {
      const find = this.finds[index]
      const place = Number(text)
      const isSound = find && namePattern.test(name) && matchesName(find.name, name)
      if (!isSound || place < this.#plan.objects.length || this.#indices.has(keyOf({ find: index, name }))) continue
      matches.set(place, { find: index, name, group: find.group, object: matchedObject(find, name) })
      this.#indices.set(keyOf({ find: index, name }), place)
      this.#next = Math.max(this.#next, place + 1)
    }
    this.#matches = matches
    for (const find of this.finds.keys()) this.#complete.add(find)
  }

  /** Notes what lists showed whose finds were taken over. */
  noteLists(digests: ReadonlyMap<string, string>): void {
    for (const [group, digest] of digests) this.#digests.set(group, digest)
  }

  /** The lists that the finds need. */
  lists(isFailing: (find: number) => boolean): FoundList[] {
    const lists = Map.groupBy(this.finds.keys(), (index) => `${this.finds[index]!.vault} ${this.finds[index]!.type}`)
    return Array.from(lists.values(), (finds) => {
      const { vault, type } = this.finds[finds[0]!]!
      // Two identities may see different lists.
      const digests = new Set(finds.map((find) => this.#digests.get(groupOf(this.finds[find]!))))
      const [digest] = digests
      const isKnown = digest !== undefined && digests.size === 1 && !finds.some(isFailing)
      return { vault, type, finds, ...(isKnown && { digest }) }
    })
  }

  /** For the manifest. */
  records(): Record<number, FoundRecord> {
    return Object.fromEntries([...this.#matches].map(([index, { find, name }]) => [index, { find, name }]))
  }

  /** Adds the matches that are new, in the order of their names; returns why some could not be. */
  #add(index: number, names: readonly string[], matches: Map<number, Match>, occupied: Occupied): string | undefined {
    const find = this.finds[index]
    if (!find) throw new TypeError(`the settings have no find ${index}`)
    const known = new Set([...matches.values()].filter((match) => match.find === index).map(({ name }) => name))
    const added = [...new Set(names)].filter((name) => !known.has(name)).toSorted()
    const all = [...this.#plan.objects, ...Array.from(matches.values(), ({ object }) => object)]
    const limit = tooMany([...all, ...added.map((name) => matchedObject(find, name))])
    if (limit !== undefined) return `${this.#placeOf(index)}: with the ${added.length} that are new, ${limit}`
    const conflicts: string[] = []
    for (const name of added) {
      const object = matchedObject(find, name)
      const conflict = namePattern.test(name)
        ? (fileProblem(object) ?? occupied.conflict(filesOf(object)))
        : 'this is no name of an object'
      if (conflict === undefined) {
        occupied.add(filesOf(object), this.#nameOf(index, name))
        matches.set(this.#indexOf({ find: index, name }), { find: index, name, group: find.group, object })
      } else conflicts.push(`${shown(object)}: ${conflict}`)
    }
    if (conflicts.length === 0) return undefined
    const rest = conflicts.length > mostListed ? `, and ${conflicts.length - mostListed} more` : ''
    return `${this.#placeOf(index)}: left out: ${conflicts.slice(0, mostListed).join('; ')}${rest}; rename an object in the vault, change its tags, or change path`
  }

  #tooManyMatches = (find: number, count: number): string =>
    `${this.#placeOf(find)}: ${count} objects match, and at most ${this.#maxMatches} may: narrow name or tags, or ask the administrator to raise find.maxMatches of the injector's configuration`

  #placeOf(index: number): string {
    const find = this.finds[index] as FindSpec
    return `vault ${new URL(find.vault).host}, ${findName(find)}`
  }

  #nameOf = (find: number, name: string): string => shown(matchedObject(this.finds[find] as FindSpec, name))

  /** The same index until the match ends, however often it is proposed before it is applied. */
  #indexOf(record: FoundRecord): number {
    const index = this.#indices.get(keyOf(record)) ?? this.#next++
    this.#indices.set(keyOf(record), index)
    return index
  }
}

const keyOf = ({ find, name }: FoundRecord): string => `${find} ${name}`

const fileProblem = (object: ObjectSpec): string | undefined =>
  filesOf(object)
    .map(pathProblem)
    .find((problem) => problem !== undefined)

/** A name that a vault lists may be anything. */
const shown = (object: Pick<ObjectSpec, 'type' | 'name'>): string => printable(objectName(object)).slice(0, 200)
