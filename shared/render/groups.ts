import type { ObjectSpec } from '../objects/spec.ts'

/** An object that a find selected. */
export interface FoundObject<T = ObjectSpec> {
  /** By which templates and bundles refer to it. */
  group: string | undefined
  object: T
}

/** The groups of a pod, and what finds have selected at the moment, in any group or in none. */
export interface Groups<T = ObjectSpec> {
  groups: readonly string[]
  members: readonly FoundObject<T>[]
  /** Whether the pod has finds, which may select something later. */
  hasFinds: boolean
}

export const noGroups: Groups<never> = { groups: [], members: [], hasFinds: false }

/** The groups of finds whose matches are not known yet. */
export const emptyGroups = (finds: readonly { group?: string | undefined }[] = []): Groups<never> => ({
  groups: groupsOf(finds),
  members: [],
  hasFinds: finds.length > 0,
})

/** Several finds may share one. */
const groupsOf = (finds: readonly { group?: string | undefined }[]): string[] => [
  ...new Set(finds.flatMap(({ group }) => group ?? [])),
]

/** Found objects in the order of their names, so that equal contents give equal bytes, whenever which was found. */
export const membersIn = <T extends Pick<ObjectSpec, 'name' | 'path'>>(
  { members }: Groups<T>,
  isWanted: (group: string | undefined) => boolean,
): T[] =>
  members
    .filter(({ group }) => isWanted(group))
    .map(({ object }) => object)
    .toSorted((one, other) => compare(one.name, other.name) || compare(one.path, other.path))

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
