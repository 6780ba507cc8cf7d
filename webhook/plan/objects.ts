import type { Cloud } from '../../shared/clouds/clouds.ts'
import type { FindSpec } from '../../shared/objects/find.ts'
import type { ObjectSpec } from '../../shared/objects/spec.ts'
import type { Settings } from '../../shared/settings/codec.ts'
import { settingsIdentity, type ObjectIdentity } from './identity.ts'

/** An object that a pod requests, with the URL of its vault. */
export interface RequestedObject {
  object: Omit<ObjectSpec, 'identity'>
  identity: ObjectIdentity
  /** The SecretProviderClass that lists it, for messages; absent for the annotation `objects`. */
  source?: string
}

/** A find of a pod, with the URL of its vault. */
export interface RequestedFind {
  find: Omit<FindSpec, 'identity'>
  identity: ObjectIdentity
}

/** The part of the settings about objects: which to fetch, with which identity, from which cloud. */
export interface CollectedObjects extends Pick<Settings, 'clouds' | 'identities' | 'objects'> {
  /** The SecretProviderClass of each object that has one, for messages. */
  sources: ReadonlyMap<ObjectSpec, string>
  finds: FindSpec[]
}

/**
 * Lists each distinct identity once, and gives each object the index of its identity.
 * @param trusting adds the CA certificates that are trusted in every cloud
 */
export function collectObjects(
  { objects: requested, finds }: { objects: readonly RequestedObject[]; finds: readonly RequestedFind[] },
  trusting: (cloud: Cloud) => Cloud,
): CollectedObjects {
  const identities = new Map<string, { index: number; identity: ObjectIdentity }>()
  const sources = new Map<ObjectSpec, string>()
  // Thousands of objects may share one identity.
  const indices = new Map<ObjectIdentity, number>()
  const indexOf = (identity: ObjectIdentity): number => {
    const index = indices.get(identity) ?? distinctIndex(identity)
    indices.set(identity, index)
    return index
  }
  const distinctIndex = (identity: ObjectIdentity): number => {
    const key = JSON.stringify([identity.cloudName, identity.tenantId, identity.clientId, identity.mode])
    const known = identities.get(key) ?? { index: identities.size, identity }
    identities.set(key, known)
    return known.index
  }
  const objects = requested.map(({ object, identity, source }): ObjectSpec => {
    const spec = { ...object, identity: indexOf(identity) }
    if (source !== undefined) sources.set(spec, source)
    return spec
  })
  const found = finds.map(({ find, identity }): FindSpec => ({ ...find, identity: indexOf(identity) }))
  const distinct = Array.from(identities.values(), ({ identity }) => identity)
  return {
    clouds: Object.fromEntries(distinct.map(({ cloudName, cloud }) => [cloudName, trusting(cloud)])),
    identities: distinct.map(settingsIdentity),
    objects,
    sources,
    finds: found,
  }
}
