import { createHash } from 'node:crypto'

import { pathProblem } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { isVariableFile } from '../../shared/variables.ts'
import { mostChanged, type ChangedObject, type Notification } from '../notify/notification.ts'
import type { FoundRecord } from '../../shared/detect/selection.ts'
import type { SourceRecord } from '../../shared/detect/sources.ts'
import type { Attributes } from '../../shared/vault/store.ts'

/** Describes a set, in the set's own folder, so that one rename switches both. It has no information about contents. */
export interface Manifest {
  schema: 1
  /** The settings that the set was made for: {@link planDigest}. */
  plan: string
  /** When it was switched in, milliseconds since 1970. */
  switchedAt: number
  /** Permission bits by path. */
  files: Record<string, number>
  /** The paths of each object's files, by the object's index in the settings. */
  objects: Record<number, string[]>
  /** Of the objects that finds selected; absent if the settings have no finds. */
  found?: Record<number, FoundRecord>
  /** By source key; a source is left out if it has to be read again. */
  sources: Record<string, SourceRecord>
  /** The latest change of which the app has to be notified; absent in a first set. */
  notification?: Notification
  /** The turn in which it was switched in; to be parsed, because it may have been forged. */
  turn?: unknown
}

/** A digest of the settings that a set of files depends on: a set made for other settings is not served. */
export const planDigest = ({ identities, objects, find, templates, bundles, fileMode, variables }: Settings): string =>
  createHash('sha256')
    .update(JSON.stringify({ identities, objects, find, templates, bundles, fileMode, variables }))
    .digest('hex')

/**
 * Reads a manifest; undefined if it is damaged or has another schema. A record or notification of another shape is left out:
 * the source is read again, and the app learns of the next change.
 */
export function parseManifest(text: string): Manifest | undefined {
  try {
    const value = JSON.parse(text) as Partial<Manifest> | null
    if (value?.schema !== 1 || !value.files || !value.objects || !value.sources) return undefined
    // An app that runs as the sidecar's user may have written it: no path may lead out of the set, and no file may be setuid.
    const paths = [...Object.keys(value.files), ...Object.values(value.objects).flat()]
    const isSound =
      isTime(value.switchedAt) &&
      Object.values(value.objects).every(Array.isArray) &&
      paths.every((path) => pathProblem(path) === undefined || isVariableFile(path)) &&
      Object.values(value.files).every(isMode) &&
      Object.values(value.found ?? {}).every(isFound)
    if (!isSound) return undefined
    const { notification, ...rest } = value as Manifest
    const sources = Object.fromEntries(Object.entries(rest.sources).filter(([, record]) => isRecord(record)))
    return { ...rest, sources, ...(isNotification(notification) && { notification }) }
  } catch {
    return undefined
  }
}

const isMode = (mode: number): boolean => Number.isInteger(mode) && mode >= 0 && mode <= 0o777

const isFound = (found: unknown): boolean => {
  const { find, name } = (found ?? {}) as Partial<FoundRecord>
  return Number.isInteger(find) && typeof name === 'string'
}

type Fields<T> = Partial<Record<keyof T, unknown>>
const fieldsOf = <T>(value: T | null | undefined): Fields<T> => value ?? {}

function isRecord(record: SourceRecord): boolean {
  const { version, versions, attributes, answeredAt, fetchedAt } = fieldsOf(record)
  const { enabled, created, updated, expires, notBefore, thumbprint } = fieldsOf(attributes as Attributes | null)
  const isSeconds = (time: unknown) => time === undefined || (typeof time === 'number' && isTime(time * 1000))
  return (
    isText(version) &&
    isList(versions, isText) &&
    typeof enabled === 'boolean' &&
    [created, updated, expires, notBefore].every(isSeconds) &&
    (thumbprint === undefined || isText(thumbprint)) &&
    (answeredAt === undefined || isTime(answeredAt)) &&
    isTime(fetchedAt)
  )
}

function isNotification(notification: Notification | undefined): boolean {
  const { id, switchedAt, dueAt, changed } = fieldsOf(notification)
  return isText(id) && isTime(switchedAt) && isTime(dueAt) && isList(changed, isChanged)
}

function isChanged(changed: unknown): boolean {
  const { type, name, version, paths } = fieldsOf(changed as ChangedObject | null)
  return [type, name, version].every(isText) && isList(paths, isText)
}

/** No version, name or path is longer. */
const longestText = 4096
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= longestText

/** Whether a value is a time that a `Date` can have, in milliseconds since 1970. */
const isTime = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) <= 8.64e15

/** A pod has fewer of anything. */
const isList = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length <= mostChanged && value.every(isItem)
