import type { Clock } from '../clock.ts'
import { objectName } from '../objects/spec.ts'
import type { Source } from './sources.ts'
import { VaultFailure, type Fetched, type ListedVersion, type Vault } from '../vault/store.ts'
import type { SourceRecord } from './sources.ts'

interface ReadSourceDependencies {
  abort: AbortSignal
  clock: Pick<Clock, 'now'>
}

/** The result of reading a source. */
export interface Read {
  record: SourceRecord
  /** Newest first; absent if the versions are those read before and their contents are no longer in memory. */
  contents?: Fetched[]
}

/**
 * Reads a source: its newest version, or with history the list of its versions and the values of those not read previous.
 * @param previous the last read, with the contents if they are still in memory
 * @throws {@link VaultFailure}, also for a version that is disabled
 */
export async function fetchSource(
  vault: Vault,
  source: Source,
  previous: Partial<Read> | undefined,
  dependencies: ReadSourceDependencies,
): Promise<Read> {
  return source.history > 1
    ? fetchHistory(vault, source, previous, dependencies)
    : fetchOne(vault, source, dependencies)
}

async function fetchOne(vault: Vault, source: Source, { abort, clock }: ReadSourceDependencies): Promise<Read> {
  const content = await vault.get(source.type, source.name, source.version, abort)
  if (!content.attributes.enabled) throw disabled(source, content.version)
  return { record: recordOf([content], clock.now()), contents: [content] }
}

async function fetchHistory(
  vault: Vault,
  source: Source,
  previous: Partial<Read> | undefined,
  { abort, clock }: ReadSourceDependencies,
): Promise<Read> {
  const versions = wantedVersions(await vault.versions(source.type, source.name, abort), source)
  const [newest] = versions
  // The service lists no versions of an object that does not exist: only a read shows whether it is gone or disabled.
  if (newest === undefined) return fetchOne(vault, source, { abort, clock })
  const { attributes } = newest
  const ids = versions.map(({ version }) => version)
  if (previous?.record && String(ids) === String(previous.record.versions)) {
    return { record: { ...previous.record, attributes }, ...(previous.contents && { contents: previous.contents }) }
  }
  const contents: Fetched[] = []
  for (const id of ids) {
    const known = previous?.contents?.find(({ version }) => version === id)
    contents.push(known ?? (await vault.get(source.type, source.name, id, abort)))
  }
  // The list's attributes, which show changes without reading a value.
  return { record: { ...recordOf(contents, clock.now()), attributes }, contents }
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
  const first =
    version === undefined ? 0 : sorted.findIndex((one) => one.version.toLowerCase() === version.toLowerCase())
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
