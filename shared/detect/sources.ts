import type { ObjectSpec } from '../objects/spec.ts'
import type { ObjectType } from '../objects/formats.ts'
import type { Attributes } from '../vault/store.ts'

/** What the store returned about a source when its content was read, so that a restart need not read it again. */
export interface SourceRecord {
  /** The newest version, or the pinned one. */
  version: string
  /** The versions whose values were read, newest first. */
  versions: string[]
  attributes: Attributes
  /** The store's clock, in milliseconds since 1970. */
  answeredAt?: number
  /** The sidecar's clock, in milliseconds since 1970. */
  fetchedAt: number
}

/**
 * What is read from a vault as a unit: an object or one version of it. All files of the settings that are rendered from it
 * have the same version.
 */
export interface Source {
  /** Identifies it in the manifest and in the cache. */
  key: string
  /** The vault's URL. */
  vault: string
  /** Index into the settings' identities. */
  identity: number
  type: ObjectType
  name: string
  /** The version it is pinned to; without history, each process reads such a source once. */
  version?: string
  history: number
  /** True if the pod starts without it: no object rendered from it is required. */
  optional: boolean
  /** True if only finds request it. */
  isFound: boolean
  /** Indices into the settings' objects. */
  objects: number[]
}

/**
 * The distinct sources of a pod's objects; names are compared case-insensitively, as in the vault.
 * @param found objects that finds selected, by index
 */
export function sourcesOf(
  objects: readonly ObjectSpec[],
  found: ReadonlyMap<number, { object: ObjectSpec }> = new Map(),
): Source[] {
  const all = [...objects.entries(), ...Array.from(found, ([index, { object }]) => [index, object] as const)]
  const sources = new Map<string, Source>()
  for (const [index, { vault, identity, type, name, version, history, optional }] of all) {
    const key = [vault.toLowerCase(), identity, type, name.toLowerCase(), version ?? '', history].join(' ')
    const known = sources.get(key)
    if (known) {
      known.objects.push(index)
      known.optional &&= optional
      known.isFound &&= index >= objects.length
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
        isFound: index >= objects.length,
        objects: [index],
      })
    }
  }
  return [...sources.values()]
}

/** True if nothing that happens in the vault can change what was read. */
export const isFixed = ({ version, history }: Source): boolean => version !== undefined && history === 1
