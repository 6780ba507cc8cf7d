import { createHash } from 'node:crypto'

import { pathProblem } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings.ts'
import type { Notification } from '../notify/notification.ts'
import type { Attributes } from '../vault/vault.ts'

/** What the store said of a source when its content in this set was read, so that a restart need not read it again. */
export interface SourceRecord {
  /** The newest version, or the pinned one. */
  version: string
  /** The versions whose values were read, newest first. */
  versions: string[]
  attributes: Attributes
  /** The store's clock, in milliseconds. */
  answeredAt?: number
  /** Our clock, in milliseconds. */
  fetchedAt: number
}

/** Describes a set in its own folder, so that one rename switches both. It never says anything about a file's content. */
export interface Manifest {
  schema: 1
  /** What the set was made for: {@link planDigest}. */
  plan: string
  /** When it was switched in, milliseconds since 1970. */
  switchedAt: number
  /** Permission bits by path. */
  files: Record<string, number>
  /** The paths of each object's files, by the object's index in the settings. */
  objects: Record<number, string[]>
  /** By source key; a source is left out where reading it again is safer. */
  sources: Record<string, SourceRecord>
  /** The latest change that the app is to be told of; absent in a first set. */
  notification?: Notification
}

/** Names the settings that a set of files depends on: a set made for others is not served. */
export const planDigest = ({ identities, objects, templates, bundles, fileMode }: Settings): string =>
  createHash('sha256').update(JSON.stringify({ identities, objects, templates, bundles, fileMode })).digest('hex')

/** Reads a manifest; undefined where it is damaged or of another schema. */
export function parseManifest(text: string): Manifest | undefined {
  try {
    const value = JSON.parse(text) as Partial<Manifest> | null
    if (value?.schema !== 1 || !value.files || !value.objects || !value.sources) return undefined
    // An app of the sidecar's user may have written it: no path leads out of the set, and no file runs as its owner.
    const paths = [...Object.keys(value.files), ...Object.values(value.objects).flat()]
    const isSound = paths.every((path) => pathProblem(path) === undefined) && Object.values(value.files).every(isMode)
    return isSound ? (value as Manifest) : undefined
  } catch {
    return undefined
  }
}

const isMode = (mode: number): boolean => Number.isInteger(mode) && mode >= 0 && mode <= 0o777
