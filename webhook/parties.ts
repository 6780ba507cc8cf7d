import type { Cloud } from '../shared/clouds.ts'
import type { ObjectSpec } from '../shared/object-spec.ts'
import type { Settings } from '../shared/settings.ts'
import { settingsIdentity, type Party } from './identity.ts'
import type { AskedObject } from './vaults.ts'

/** The settings' part that says which objects are fetched, as whom and from which clouds. */
export interface Gathered extends Pick<Settings, 'clouds' | 'identities' | 'objects'> {
  /** Where each object was written, for messages. */
  sources: ReadonlyMap<ObjectSpec, string>
}

/**
 * Gives each distinct identity a place in the settings, and each object its identity's.
 * @param trusting adds what is trusted everywhere to a cloud
 */
export function gather(asked: readonly AskedObject[], trusting: (cloud: Cloud) => Cloud): Gathered {
  const parties = new Map<string, { index: number; party: Party }>()
  const sources = new Map<ObjectSpec, string>()
  const objects = asked.map(({ object, party, source }): ObjectSpec => {
    const key = JSON.stringify([party.cloudName, party.tenantId, party.clientId, party.mode])
    const known = parties.get(key) ?? { index: parties.size, party }
    parties.set(key, known)
    const spec = { ...object, identity: known.index }
    if (source !== undefined) sources.set(spec, source)
    return spec
  })
  const distinct = Array.from(parties.values(), ({ party }) => party)
  return {
    clouds: Object.fromEntries(distinct.map(({ cloudName, cloud }) => [cloudName, trusting(cloud)])),
    identities: distinct.map(settingsIdentity),
    objects,
    sources,
  }
}
