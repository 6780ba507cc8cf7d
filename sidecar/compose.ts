import { objectName } from '../shared/object-spec.ts'
import type { Settings } from '../shared/settings.ts'
import type { RenderedFile } from './render/rendered.ts'
import type { FileSet, SetFile } from './volume/file-set.ts'
import { planDigest } from './volume/manifest.ts'
import type { StoredSet } from './volume/volume.ts'

type Plan = Pick<Settings, 'objects' | 'templates' | 'bundles' | 'fileMode'>

/** An object by its index, or a template or bundle by its path, and how messages name them. */
export type Missing = { what: string } & ({ object: number } | { text: string })

export interface Composed {
  files: FileSet
  /** Paths by the object's index. */
  objects: Record<number, string[]>
  /** What a complete set still lacks. */
  missing: Missing[]
}

/**
 * The objects' part of the next set: what is new, and what the current set has for everything else.
 * @param fresh files by the object's index; none for an object that is gone
 */
export function composeObjects(
  plan: Pick<Plan, 'objects' | 'fileMode'>,
  stored: StoredSet | undefined,
  fresh: ReadonlyMap<number, readonly RenderedFile[]>,
): Composed {
  const files = new Map<string, SetFile>()
  const objects: Record<number, string[]> = {}
  const missing: Missing[] = []
  for (const [index, object] of plan.objects.entries()) {
    const kept = stored?.manifest.objects[index]
    const made = fresh.get(index)
    for (const { path, content } of made ?? []) files.set(path, { content, mode: object.mode ?? plan.fileMode })
    const isKept = made !== undefined || keep(kept ?? [], stored, files)
    const paths = made?.map(({ path }) => path) ?? kept
    if (paths) objects[index] = paths
    // What is gone at the very start is missing; what went later was deleted on request.
    const isThere = (kept !== undefined && isKept) || (made !== undefined && made.length > 0)
    if (!isThere && !object.optional) missing.push({ object: index, what: objectName(object) })
  }
  return { files, objects, missing }
}

/** Adds templates and bundles: what was made of the objects' files, and the last file of what could not be made. */
export function addTexts(
  plan: Pick<Plan, 'templates' | 'bundles' | 'fileMode'>,
  stored: StoredSet | undefined,
  { files, objects, missing }: Composed,
  made: ReadonlyMap<string, Uint8Array>,
): Composed {
  const all = new Map(files)
  const lacking = [...missing]
  for (const { path, type } of textsOf(plan)) {
    const content = made.get(path)
    if (content) all.set(path, { content, mode: plan.fileMode })
    else if (!keep([path], stored, all)) lacking.push({ text: path, what: `${type} ${path}` })
  }
  return { files: all, objects, missing: lacking }
}

/** What a stored set, or none, gives by itself. */
export const composeStored = (plan: Plan, stored: StoredSet | undefined): Composed =>
  addTexts(plan, stored, composeObjects(plan, stored, new Map()), new Map())

/** Whether a stored set was made for these settings and lacks nothing. */
export const isServable = (settings: Settings, stored: StoredSet): boolean =>
  stored.manifest.plan === planDigest(settings) && composeStored(settings, stored).missing.length === 0

function keep(paths: readonly string[], stored: StoredSet | undefined, into: Map<string, SetFile>): boolean {
  for (const path of paths) {
    const file = stored?.files.get(path)
    if (!file) return false
    into.set(path, file)
  }
  return true
}

/** What is made from several objects. */
export const textsOf = ({ templates, bundles }: Pick<Plan, 'templates' | 'bundles'>) => [
  ...Object.keys(templates).map((path) => ({ path, type: 'template' as const })),
  ...Object.keys(bundles).map((path) => ({ path, type: 'bundle' as const })),
]

/** The paths whose bytes or permission bits differ between two sets, or that only one of them has. */
export function differences(one: FileSet, other: FileSet): Set<string> {
  const paths = new Set([...one.keys(), ...other.keys()])
  return new Set([...paths].filter((path) => !isSame(one.get(path), other.get(path))))
}

const isSame = (one: SetFile | undefined, other: SetFile | undefined): boolean =>
  one !== undefined &&
  other !== undefined &&
  one.mode === other.mode &&
  Buffer.from(one.content).equals(Buffer.from(other.content))
