import { parseArray, parseObject } from './json.ts'
import { maxSources } from './limits.ts'
import { everyObject, isCount, isName, isType, isVault, isVersion, type WatchedObject } from './source.ts'
import { parseTurnEvent, type TurnEvent } from './turns.ts'

/** What changed about an object: its newest version. Without one, the object was deleted, or has no version that is known. */
export interface Change extends WatchedObject {
  version?: string
  /** When the version was created, in seconds since 1970. */
  created?: number
}

/** How old the last complete look at one kind of objects in a vault is. */
export interface Look extends Pick<WatchedObject, 'vault' | 'type'> {
  ageMs: number
}

/** What a coordinator sends. */
export type CoordinatorEvent =
  | {
      name: 'welcome'
      /** PEM certificates to trust from now on, in addition to those of the settings. */
      caCertificates?: string
    }
  | {
      name: 'heartbeat'
      number: number
      /** The last snapshot that was taken over. */
      snapshot: number
      looks: Look[]
    }
  | {
      name: 'coverage'
      /** The snapshot that the coordinator knew. */
      snapshot: number
      /** Whether the objects are watched from now on. */
      isCovered: boolean
      objects: WatchedObject[]
      /** Why they are not. */
      reason?: string
    }
  | {
      name: 'change'
      changes: Change[]
      /** The hint is to be followed at a random moment of this time, in milliseconds. */
      spreadMs: number
    }
  | ({ name: 'turn' } & TurnEvent)
  | {
      name: 'goodbye'
      /** The least time before the next session, in milliseconds. */
      retryAfterMs: number
    }

/** The parts of a name and its data, as in a stream. */
export function encodeEvent({ name, ...fields }: CoordinatorEvent): [name: string, data: object] {
  if ('looks' in fields)
    return [name, { ...fields, looks: fields.looks.map((look) => [look.vault, look.type, look.ageMs]) }]
  if ('objects' in fields)
    return [name, { ...fields, objects: fields.objects.map((one) => [one.vault, one.type, one.name]) }]
  if ('changes' in fields) {
    const changes = fields.changes.map(({ vault, type, name: object, version = null, created = null }) => [
      vault,
      type,
      object,
      version,
      created,
    ])
    return [name, { ...fields, changes }]
  }
  return [name, fields]
}

/** How an event was read: one that this version does not know is ignored, one that cannot be read ends the session. */
export type ParsedEvent = { event: CoordinatorEvent } | 'unknown' | 'malformed'

/** Reads an event; fields that this version does not know are ignored. */
export function parseEvent(name: string, data: string): ParsedEvent {
  const parser = Object.hasOwn(parsers, name) ? parsers[name as CoordinatorEvent['name']] : undefined
  if (parser === undefined) return 'unknown'
  const fields = parseObject(data)
  const event = fields && parser(fields)
  return event ? { event } : 'malformed'
}

type Fields = Readonly<Record<string, unknown>>

const parsers: { readonly [Name in CoordinatorEvent['name']]: (fields: Fields) => CoordinatorEvent | undefined } = {
  welcome: ({ caCertificates }) => {
    if (caCertificates === undefined) return { name: 'welcome' }
    return typeof caCertificates === 'string' ? { name: 'welcome', caCertificates } : undefined
  },
  heartbeat: ({ number, snapshot, looks }) => {
    const parsed = parseArray(looks, maxSources, parseLook)
    return isCount(number) && isCount(snapshot) && parsed
      ? { name: 'heartbeat', number, snapshot, looks: parsed }
      : undefined
  },
  coverage: ({ snapshot, isCovered, objects, reason }) => {
    const parsed = parseArray(objects, maxSources, parseWatchedOrList)
    if (!isCount(snapshot) || typeof isCovered !== 'boolean' || !parsed) return undefined
    const why = typeof reason === 'string' ? { reason: reason.slice(0, 300) } : {}
    return { name: 'coverage', snapshot, isCovered, objects: parsed, ...why }
  },
  change: ({ changes, spreadMs }) => {
    const parsed = parseArray(changes, maxSources, parseChange)
    return parsed && isCount(spreadMs) ? { name: 'change', changes: parsed, spreadMs } : undefined
  },
  turn: (fields) => {
    const turn = parseTurnEvent(fields)
    return turn && { name: 'turn', ...turn }
  },
  goodbye: ({ retryAfterMs }) => (isCount(retryAfterMs) ? { name: 'goodbye', retryAfterMs } : undefined),
}

/** Reads the names of an object. */
export const parseWatched = ([vault, type, name]: readonly unknown[]): WatchedObject | undefined =>
  isVault(vault) && isType(type) && isName(name) ? { vault, type, name } : undefined

/** Reads the names of an object, or of the list of all. */
export const parseWatchedOrList = ([vault, type, name]: readonly unknown[]): WatchedObject | undefined =>
  name === everyObject && isVault(vault) && isType(type) ? { vault, type, name } : parseWatched([vault, type, name])

const parseLook = ([vault, type, ageMs]: readonly unknown[]): Look | undefined =>
  isVault(vault) && isType(type) && isCount(ageMs) ? { vault, type, ageMs } : undefined

function parseChange(item: readonly unknown[]): Change | undefined {
  const [, , , version, created] = item
  const object = parseWatchedOrList(item)
  if (!object) return undefined
  if (version !== null && !isVersion(version)) return undefined
  if (created !== null && !isCount(created)) return undefined
  return { ...object, ...(version !== null && { version }), ...(created !== null && { created }) }
}
