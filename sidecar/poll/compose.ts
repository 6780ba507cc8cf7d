import { findName } from '../../shared/objects/find.ts'
import { objectName, type ObjectSpec } from '../../shared/objects/spec.ts'
import { findKey, type FailureKey, type Failures } from '../../shared/detect/failures.ts'
import type { FoundRecord, Selection } from '../../shared/detect/selection.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import type { RenderedFile } from '../../shared/render/rendered.ts'
import type { FileSet, SetFile } from '../../shared/render/rendered.ts'
import { planDigest } from '../volume/manifest.ts'
import type { StoredSet } from '../volume/volume.ts'

type Plan = Pick<Settings, 'objects' | 'templates' | 'bundles' | 'fileMode'>

/** An object, a find, a template or a bundle that a complete set still lacks. */
export interface Missing {
  key: FailureKey
  /** Its name in messages. */
  what: string
}

export interface Composed {
  files: FileSet
  /** Paths by the object's index. */
  objects: Record<number, string[]>
  /** What a complete set still lacks. */
  missing: Missing[]
}

/**
 * The objects' part of the next set: the new files, and those of the current set for everything else.
 * @param pending rendered files by the object's index; none for an object that is gone
 * @param selection of the pod's finds, if it has any
 */
export function composeObjects(
  plan: Pick<Plan, 'objects' | 'fileMode'>,
  stored: StoredSet | undefined,
  pending: ReadonlyMap<number, readonly RenderedFile[]>,
  selection?: Selection,
): Composed {
  const files = new Map<string, SetFile>()
  const objects: Record<number, string[]> = {}
  const missing = missingFinds(selection)
  const add = (index: number, object: ObjectSpec, kept: string[] | undefined, isOptional: boolean): void => {
    const rendered = pending.get(index)
    for (const { path, content } of rendered ?? []) files.set(path, { content, mode: object.mode ?? plan.fileMode })
    const isKept = rendered !== undefined || keep(kept ?? [], stored, files)
    const paths = rendered?.map(({ path }) => path) ?? kept
    if (paths) objects[index] = paths
    // An object that does not exist at the start is missing; one that disappeared later was deleted, as on-delete says.
    const isThere = (kept !== undefined && isKept) || (rendered !== undefined && rendered.length > 0)
    if (!isThere && !isOptional) missing.push({ key: index, what: objectName(object) })
  }
  for (const [index, object] of plan.objects.entries())
    add(index, object, stored?.manifest.objects[index], object.optional)
  // A match that cannot be read holds back the first set, and no later one.
  const kept = keptMatches(stored)
  for (const [index, match] of selection?.matches ?? [])
    add(index, match.object, kept.get(keyOf(match)), match.object.optional || stored !== undefined)
  return { files, objects, missing }
}

/** The finds that have not been searched for, or not completely taken over, since the start. */
function missingFinds(selection: Selection | undefined): Missing[] {
  if (!selection) return []
  const finds = [...selection.finds.entries()].filter(([index]) => !selection.isComplete(index))
  return finds.map(([index, find]) => ({ key: findKey(index), what: findName(find) }))
}

/** The files of the matches in a stored set, in which another process may have given them other indices. */
function keptMatches(stored: StoredSet | undefined): ReadonlyMap<string, string[]> {
  const { found = {}, objects = {} } = stored?.manifest ?? {}
  const entries = Object.entries(found).flatMap(([index, match]) => {
    const paths = objects[Number(index)]
    return paths ? [[keyOf(match), paths] as const] : []
  })
  return new Map(entries)
}

const keyOf = ({ find, name }: FoundRecord): string => `${find} ${name}`

/** Adds templates and bundles: the newly rendered files, and the last good file of those that failed. */
export function addTexts(
  plan: Pick<Plan, 'templates' | 'bundles' | 'fileMode'>,
  stored: StoredSet | undefined,
  { files, objects, missing }: Composed,
  rendered: ReadonlyMap<string, Uint8Array>,
): Composed {
  const all = new Map(files)
  const missingPaths = [...missing]
  for (const { path, type } of textsOf(plan)) {
    const content = rendered.get(path)
    if (content) all.set(path, { content, mode: plan.fileMode })
    else if (!keep([path], stored, all)) missingPaths.push({ key: path, what: `${type} ${path}` })
  }
  return { files: all, objects, missing: missingPaths }
}

/** The set composed only of a stored set's files, or of none. */
export const composeStored = (plan: Plan, stored: StoredSet | undefined, selection?: Selection): Composed =>
  addTexts(plan, stored, composeObjects(plan, stored, new Map(), selection), new Map())

/** True if a stored set was made for these settings and is complete. */
export const isServable = (settings: Settings, stored: StoredSet, selection?: Selection): boolean =>
  stored.manifest.plan === planDigest(settings) && composeStored(settings, stored, selection).missing.length === 0

function keep(paths: readonly string[], stored: StoredSet | undefined, into: Map<string, SetFile>): boolean {
  for (const path of paths) {
    const file = stored?.files.get(path)
    if (!file) return false
    into.set(path, file)
  }
  return true
}

/** The templates and bundles of the settings. */
export const textsOf = ({ templates, bundles }: Pick<Plan, 'templates' | 'bundles'>) => [
  ...Object.keys(templates).map((path) => ({ path, type: 'template' as const })),
  ...Object.keys(bundles).map((path) => ({ path, type: 'bundle' as const })),
]

/** True if a template or bundle has an older file than the rest of the set. */
export const isTextFailing = ({
  settings,
  failures,
}: {
  settings: Plan
  failures: Pick<Failures, 'isRendered'>
}): boolean => textsOf(settings).some(({ path }) => !failures.isRendered(path))

/** The paths whose bytes or permission bits differ between two sets, or that exist in only one of them. */
export function differences(one: FileSet, other: FileSet): Set<string> {
  const paths = new Set([...one.keys(), ...other.keys()])
  return new Set([...paths].filter((path) => !isSame(one.get(path), other.get(path))))
}

const isSame = (one: SetFile | undefined, other: SetFile | undefined): boolean =>
  one !== undefined &&
  other !== undefined &&
  one.mode === other.mode &&
  Buffer.from(one.content).equals(Buffer.from(other.content))
