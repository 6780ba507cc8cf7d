import type { Attributes, ListedVersion } from '../../shared/vault/store.ts'
import { conclusiveAfterMs, sameAttributes } from '../../shared/detect/read-plan.ts'

/** What is known about one object, or about the list of all; values are not. */
export interface Observed {
  /** When each version was created, in seconds since 1970: the newest {@link maxVersions}. Absent before the first look. */
  versions?: ReadonlyMap<string, number>
  /** The newest version; absent if the object has none. */
  newest?: ListedVersion
  /** As the last list showed it; absent if no list did. */
  listed?: ListedState
  /** When its versions are looked at again whatever a list shows, on the monotonic clock. */
  recheckAt?: number
  /** When its versions were listed last, on the monotonic clock. */
  verifiedAt?: number
  /** When they are listed again, on the monotonic clock; absent if they could be listed the last time. */
  retryAt?: number
  /** The requests that listing its versions takes; absent before the first look. */
  pages?: number
  /** Whether a sidecar serves a version that is not known. */
  isQuestioned?: boolean
  /** Whether a sidecar has served a version that exists. */
  isCovered?: boolean
  /** How many sidecars serve it. */
  subscribers: number
}

/** An object in a list. */
export interface ListedState {
  /** Absent if the list did not show the object. */
  attributes?: Attributes
  tags: string
}

/** Versions of an object that are remembered: sidecars serve the newest or, for moments, one before it. */
export const maxVersions = 100

/**
 * Sorts the newest first. Times are whole seconds: of two versions of one second, the one that was not known before is newer; else
 * the ids decide, as in sidecars.
 */
const newestFirst = (versions: readonly ListedVersion[], known: ReadonlyMap<string, unknown>): ListedVersion[] =>
  versions.toSorted(
    (one, other) =>
      (other.attributes.created ?? 0) - (one.attributes.created ?? 0) ||
      Number(known.has(one.version)) - Number(known.has(other.version)) ||
      (one.version < other.version ? -1 : 1),
  )

/** Forgets what is known of an object that cannot be looked at any more: it is covered no longer. */
export function forget(observed: Observed): void {
  delete observed.versions
  delete observed.newest
  delete observed.recheckAt
  delete observed.isCovered
}

/** Takes over a list of versions; returns whether sidecars that know the previous one have to read the object. */
export function takeVersions(observed: Observed, listed: readonly ListedVersion[]): boolean {
  const sorted = newestFirst(listed, observed.versions ?? new Map()).slice(0, maxVersions)
  const isFirst = observed.versions === undefined
  const [newest] = sorted
  const isChanged = !isSameVersion(observed.newest, newest)
  observed.versions = new Map(sorted.map(({ version, attributes }) => [version, attributes.created ?? 0]))
  if (newest) observed.newest = newest
  else delete observed.newest
  return isChanged && !isFirst
}

/**
 * Takes over the digest of a list, the version of the list of all objects; returns whether sidecars that know the previous one
 * have to list the vault.
 */
export function takeDigest(observed: Observed, digest: string): boolean {
  const { versions, newest } = observed
  const known = [...(versions?.keys() ?? [])].filter((version) => version !== digest).slice(1 - maxVersions)
  observed.versions = new Map([...known, digest].map((version) => [version, 0]))
  observed.newest = { version: digest, attributes: { enabled: true } }
  return newest !== undefined && newest.version !== digest
}

function isSameVersion(one: ListedVersion | undefined, other: ListedVersion | undefined): boolean {
  if (!one || !other) return one === other
  return one.version === other.version && sameAttributes(one.attributes, other.attributes)
}

/** True if two lists show the same of an object. */
export function isSameListed(one: ListedState | undefined, other: ListedState | undefined): boolean {
  if (!one || !other) return false
  if (!one.attributes || !other.attributes) return one.attributes === other.attributes
  return one.tags === other.tags && sameAttributes(one.attributes, other.attributes)
}

/** True if a write could hide behind attributes, whose times are whole seconds. */
export const isRecent = (attributes: Attributes | undefined, now: number): boolean =>
  attributes?.updated !== undefined && attributes.updated * 1000 + conclusiveAfterMs >= now
