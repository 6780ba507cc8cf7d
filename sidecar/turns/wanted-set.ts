import { maxTurnVersions } from '../../shared/coordination/limits.ts'
import { turnText, versionId } from '../../shared/coordination/turns.ts'
import { watchedObject } from '../../shared/coordination/source.ts'
import type { SourceCache } from '../../shared/detect/cache.ts'
import type { SourceRecord } from '../../shared/detect/sources.ts'
import { changedPaths, endedMatches } from '../poll/describe-set.ts'
import type { SetDifference } from '../poll/turns.ts'

/** What a set that waits consists of, without anything that is derived from a value. */
export interface WantedSet {
  /** The same for sets with the same versions. */
  key: string
  /** The versions in which it differs from the set that is served; a bounded number of them. */
  versions: string[]
  /**
   * Those of them that a halt forbids: all, or only those that are not served yet if the set replaces a version with which the app
   * has not come up. The others of that set cannot make it worse, and one of them may be good.
   */
  haltable: string[]
  /** The same for a person. */
  objects: string
  /** What is served of its sources, by their keys. */
  served: Map<string, SourceRecord | undefined>
}

/** Objects that are named; of the others, only the number. */
const named = 2

/**
 * Describes a set that differs from the one that is served.
 * @param unproven versions with which the app has not come up: if the set has them too, it fails or comes up with them
 */
export function wantedSet(
  difference: SetDifference,
  cache: Pick<SourceCache, 'objects' | 'version' | 'sources' | 'selection'>,
  unproven: readonly string[] = [],
): WantedSet {
  const { previous } = difference
  const versions = new Set<string>()
  const changed = new Set<string>()
  const names = new Set<string>()
  const served: WantedSet['served'] = new Map()
  for (const [index, object] of [...cache.objects(), ...endedMatches(previous, cache)]) {
    // An object that was deleted has no version.
    const version = versionId(watchedObject(object), cache.version(index) ?? '')
    const isChanged = changedPaths(index, difference).length > 0
    if (isChanged || unproven.includes(version)) versions.add(version)
    if (!isChanged) continue
    changed.add(version)
    names.add(`${object.type} ${object.name}`)
    const source = cache.sources.find(({ objects }) => objects.includes(index))
    if (source) served.set(source.key, previous.manifest.sources[source.key])
  }
  const sorted = [...versions].sort()
  const isRepair = unproven.some((version) => !versions.has(version))
  return {
    ...{ key: sorted.join(' '), versions: sorted.slice(0, maxTurnVersions), objects: textOf([...names]), served },
    haltable: isRepair ? [...changed] : sorted,
  }
}

function textOf(names: readonly string[]): string {
  const rest = names.length - named
  return turnText(`${names.slice(0, named).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`)
}
