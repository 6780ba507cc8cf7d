import { objectName } from '../shared/object-spec.ts'
import type { Settings } from '../shared/settings.ts'
import type { RenderedFile } from './render/rendered.ts'
import type { FileSet, SetFile } from './volume/file-set.ts'
import type { StoredSet } from './volume/volume.ts'

type Plan = Pick<Settings, 'objects' | 'templates' | 'bundles' | 'fileMode'>

/** What was made since the current set was switched in. */
export interface News {
  /** Files by the object's index; none for an object that is gone. */
  objects: ReadonlyMap<number, readonly RenderedFile[]>
  /** Contents of templates and bundles by path. */
  texts: ReadonlyMap<string, Uint8Array>
}

/** An object by its index, or a template or bundle by its path, and how messages name it. */
export type Missing = { what: string } & ({ object: number } | { text: string })

export interface Composed {
  files: FileSet
  /** Paths by the object's index. */
  objects: Record<number, string[]>
  /** What a complete set still lacks. */
  missing: Missing[]
}

/** The next set: what is new, and what the current set has for everything else. */
export function compose(plan: Plan, stored: StoredSet | undefined, news: News): Composed {
  const next: Composed = { files: new Map(), objects: {}, missing: [] }
  const files = next.files as Map<string, SetFile>
  for (const [index, object] of plan.objects.entries()) {
    const kept = stored?.manifest.objects[index]
    const made = news.objects.get(index)?.map(({ path, content }): [string, SetFile] => [path, { content, mode: object.mode ?? plan.fileMode }]) // prettier-ignore
    const entries = made ?? kept?.map((path): [string, SetFile | undefined] => [path, stored?.files.get(path)])
    const isMissing = entries === undefined || (entries.length === 0 && kept === undefined)
    if (isMissing && !object.optional) next.missing.push({ object: index, what: objectName(object) })
    if (entries === undefined) continue
    next.objects[index] = entries.map(([path]) => path)
    for (const [path, file] of entries) if (file) files.set(path, file)
  }
  for (const { path, type } of textsOf(plan)) {
    const made = news.texts.get(path)
    const file = made ? { content: made, mode: plan.fileMode } : stored?.files.get(path)
    if (file) files.set(path, file)
    else next.missing.push({ text: path, what: `${type} ${path}` })
  }
  return next
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
