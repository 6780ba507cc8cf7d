import { createHash } from 'node:crypto'
import { quote } from '../shared/messages.ts'
import {
  classKind,
  classVersion,
  csiManagedLabel,
  syncAdoptAnnotation,
  syncClassAnnotation,
  syncedAtAnnotation,
  syncedLabel,
  syncRetainAnnotation,
  syncVersionsAnnotation,
} from './names.ts'
import type { SecretData } from './secret-data.ts'
import type { SecretRequest } from './secret-objects.ts'
import type { SyncClass, SyncOptions } from './sync-class.ts'

/** A Secret in the cluster, as far as it is read. Its values are not kept, only their digest. */
export interface ClusterSecret {
  uid: string
  resourceVersion: string
  type: string
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
  owners: readonly OwnerReference[]
  keys: readonly string[]
  /** Of the values. */
  digest: string
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
}

/** A Secret to be written. */
export interface WantedSecret {
  name: string
  type: string
  labels: Readonly<Record<string, string>>
  /** Without the time of the write. */
  annotations: Readonly<Record<string, string>>
  owners: readonly OwnerReference[]
  data: SecretData
  /** Of the values. */
  digest: string
}

/** Returns a digest of values by key. It stays in memory and is written nowhere, because a short value can be guessed from it. */
export function digestOf(data: Iterable<readonly [key: string, value: Uint8Array]>): string {
  const hash = createHash('sha256')
  for (const [key, value] of [...data].sort(([one], [other]) => (one < other ? -1 : 1)))
    hash.update(`${key.length} ${key} ${value.length} `).update(value)
  return hash.digest('base64')
}

/** The owner of the Secrets of a class, so that deleting the class deletes them, and nothing else does. */
export const ownerOf = ({ name, uid }: Pick<SyncClass, 'name' | 'uid'>): OwnerReference => ({
  ...{ apiVersion: classVersion, kind: classKind, name, uid },
})

/**
 * Returns the Secret that a class wants.
 * @param versions the versions of its objects, by their names in messages
 */
export function wantedSecret(
  one: Pick<SyncClass, 'name' | 'uid'>,
  { retain, adopt }: SyncOptions,
  { name, type, labels, annotations }: SecretRequest,
  data: SecretData,
  versions: ReadonlyMap<string, string>,
): WantedSecret {
  return {
    ...{ name, type, data, digest: digestOf(data) },
    labels: { ...labels, [syncedLabel]: 'true' },
    annotations: {
      ...annotations,
      [syncClassAnnotation]: one.name,
      [syncVersionsAnnotation]: versionsText(versions),
      ...(retain && { [syncRetainAnnotation]: 'true' }),
      ...(adopt && { [syncAdoptAnnotation]: 'csi' }),
    },
    owners: retain ? [] : [ownerOf(one)],
  }
}

/** Limit of the text about versions, in UTF-16 units; a class has up to 500 objects. */
const mostVersions = 32 * 1024

/** Returns `secret/db-password@0123abcd, ...` in the order of the names. */
function versionsText(versions: ReadonlyMap<string, string>): string {
  const all = Array.from(versions, ([name, version]) => `${name}@${version}`)
    .sort()
    .join(', ')
  return all.length <= mostVersions ? all : `${all.slice(0, mostVersions - 1)}…`
}

/** Whose a Secret in the cluster is. */
export type Claim = 'ours' | 'adoptable' | { conflict: string }

/**
 * Decides whether a class may write a Secret that exists: its own, that of a predecessor of the same name, or with `sync-adopt: csi` one that
 * the CSI driver made with the same type and keys.
 */
export function claim(
  { type, labels, annotations, keys }: Omit<ClusterSecret, 'digest' | 'owners' | 'uid' | 'resourceVersion'>,
  one: Pick<SyncClass, 'name'>,
  { adopt }: Pick<SyncOptions, 'adopt'>,
  request: SecretRequest,
): Claim {
  const sameType = type === request.type
  if (labels[syncedLabel] === 'true') {
    const writer = annotations[syncClassAnnotation] ?? ''
    if (writer !== one.name)
      return { conflict: `it is written for SecretProviderClass ${quote(writer)}: choose another secretName` }
    return sameType
      ? 'ours'
      : { conflict: `its type is ${type}, which cannot be changed: delete it, and it is written anew` }
  }
  if (labels[csiManagedLabel] !== 'true')
    return { conflict: 'it exists and belongs to somebody else: delete it, or choose another secretName' }
  if (!adopt)
    return { conflict: `the CSI driver made it: remove its volumes, and set ${syncAdoptAnnotation}: csi on the class` }
  const sameKeys = String(keys.toSorted()) === String([...request.data.keys()].sort())
  if (sameType && sameKeys) return 'adoptable'
  return { conflict: 'the CSI driver made it with another type or other keys than the class has: delete it' }
}

/** Returns whether a Secret in the cluster is what a class wants, apart from the time of its last write. */
export function isUpToDate(existing: ClusterSecret, wanted: WantedSecret): boolean {
  const has = (texts: Readonly<Record<string, string>>, all: Readonly<Record<string, string>>): boolean =>
    Object.entries(all).every(([name, text]) => texts[name] === text)
  const owners = existing.owners.filter(({ kind }) => kind === classKind).map(({ uid }) => uid)
  return (
    existing.digest === wanted.digest &&
    has(existing.labels, wanted.labels) &&
    has(existing.annotations, wanted.annotations) &&
    (wanted.annotations[syncRetainAnnotation] ?? '') === (existing.annotations[syncRetainAnnotation] ?? '') &&
    String(owners) === String(wanted.owners.map(({ uid }) => uid))
  )
}

/** Returns the text that a server-side apply sends. `resourceVersion` makes it fail if the Secret has changed since it was read. */
export const applyBody = (
  { name, type, labels, annotations, owners, data }: WantedSecret,
  { namespace, resourceVersion, at }: { namespace: string; resourceVersion: string; at: string },
): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    ...{ name, namespace, resourceVersion, labels },
    annotations: { ...annotations, [syncedAtAnnotation]: at },
    ...(owners.length > 0 && { ownerReferences: owners }),
  },
  type,
  data: Object.fromEntries(Array.from(data, ([key, value]) => [key, Buffer.from(value).toString('base64')])),
})
