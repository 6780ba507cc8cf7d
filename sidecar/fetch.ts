import { objectName } from '../shared/object-spec.ts'
import type { Source } from './sources.ts'
import { VaultFailure, type Fetched, type ListedVersion, type Vault } from './vault/vault.ts'
import type { SourceRecord } from './volume/manifest.ts'

/** What reading a source gave. */
export interface Read {
  record: SourceRecord
  /** Newest first; absent where the versions are those read before, and their contents no longer in memory. */
  contents?: Fetched[]
}

/**
 * Reads a source: its newest version, or with history the list of its versions and the values of those not read before.
 * @param before what was read last time, with the contents if they are still in memory
 * @throws {@link VaultFailure}, also for a version that is disabled
 */
export async function fetchSource(
  vault: Vault,
  source: Source,
  before: Partial<Read> | undefined,
  { signal, now }: { signal: AbortSignal; now: () => number },
): Promise<Read> {
  return source.history > 1
    ? fetchHistory(vault, source, before, { signal, now })
    : fetchOne(vault, source, { signal, now })
}

async function fetchOne(
  vault: Vault,
  source: Source,
  { signal, now }: { signal: AbortSignal; now: () => number },
): Promise<Read> {
  const content = await vault.get(source.type, source.name, source.version, signal)
  if (!content.attributes.enabled) throw disabled(source, content.version)
  return { record: recordOf([content], now()), contents: [content] }
}

async function fetchHistory(
  vault: Vault,
  source: Source,
  before: Partial<Read> | undefined,
  { signal, now }: { signal: AbortSignal; now: () => number },
): Promise<Read> {
  const versions = wantedVersions(await vault.versions(source.type, source.name, signal), source)
  const [newest] = versions
  // The service lists no versions of what does not exist: only when asked for one it says whether it is gone, or disabled.
  if (newest === undefined) return fetchOne(vault, source, { signal, now })
  const { attributes } = newest
  const ids = versions.map(({ version }) => version)
  if (before?.record && String(ids) === String(before.record.versions)) {
    return { record: { ...before.record, attributes }, ...(before.contents && { contents: before.contents }) }
  }
  const contents: Fetched[] = []
  for (const id of ids) {
    const known = before?.contents?.find(({ version }) => version === id)
    contents.push(known ?? (await vault.get(source.type, source.name, id, signal)))
  }
  // The list's, which tells of changes to come without a value being read.
  return { record: { ...recordOf(contents, now()), attributes }, contents }
}

/**
 * The versions that a history holds: from the pinned one on (else from the newest), enabled, newest first. The service promises
 * no order and its times are whole seconds, so the ids decide between equal ones.
 */
export function wantedVersions(versions: readonly ListedVersion[], { version, history }: Source): ListedVersion[] {
  const sorted = versions.toSorted(
    (one, other) =>
      (other.attributes.created ?? 0) - (one.attributes.created ?? 0) || (one.version < other.version ? -1 : 1),
  )
  const first = version === undefined ? 0 : sorted.findIndex((one) => one.version.toLowerCase() === version.toLowerCase()) // prettier-ignore
  if (first === -1) return []
  return sorted
    .slice(first)
    .filter(({ attributes }) => attributes.enabled)
    .slice(0, history)
}

function recordOf(contents: readonly Fetched[], fetchedAt: number): SourceRecord {
  const [newest] = contents
  if (newest === undefined) throw new TypeError('a source has at least one version')
  const { version, attributes, answeredAt } = newest
  return {
    version,
    versions: contents.map((content) => content.version),
    attributes,
    ...(answeredAt !== undefined && { answeredAt }),
    fetchedAt,
  }
}

const disabled = (source: Source, version: string): VaultFailure =>
  new VaultFailure(
    'disabled',
    `vault ${new URL(source.vault).host}, ${objectName(source)}: version ${version} is disabled; enable it or add a new version`,
  )
