import type { ObjectSpec, ObjectType } from '../shared/object-spec.ts'

/**
 * What is read from a vault as one: an object or one version of it, however many files of the settings are made from it, so
 * that they all are made from the same version.
 */
export interface Source {
  /** Names it in the manifest and in memory. */
  key: string
  /** The vault's URL. */
  vault: string
  /** Index into the settings' identities. */
  identity: number
  type: ObjectType
  name: string
  /** Pinned to it; without history such a source is read once by each process. */
  version?: string
  history: number
  /** Whether the pod starts without it: no object made from it is required. */
  optional: boolean
  /** Indices into the settings' objects. */
  objects: number[]
}

/** The distinct sources of the settings' objects; names of objects compare without case, as the vault does. */
export function sourcesOf(objects: readonly ObjectSpec[]): Source[] {
  const sources = new Map<string, Source>()
  for (const [index, { vault, identity, type, name, version, history, optional }] of objects.entries()) {
    const key = [vault.toLowerCase(), identity, type, name.toLowerCase(), version ?? '', history].join(' ')
    const known = sources.get(key)
    if (known) {
      known.objects.push(index)
      known.optional &&= optional
    } else {
      sources.set(key, {
        key,
        vault,
        identity,
        type,
        name,
        ...(version !== undefined && { version }),
        history,
        optional,
        objects: [index],
      })
    }
  }
  return [...sources.values()]
}

/** Whether nothing that happens in the vault can change what was read. */
export const isFixed = ({ version, history }: Source): boolean => version !== undefined && history === 1
