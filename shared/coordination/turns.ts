import { createHash } from 'node:crypto'
import { printable } from '../printable.ts'
import { longestTurnText, maxHalts, maxTurnVersions } from './limits.ts'
import { objectKey, isCount, type WatchedObject } from './source.ts'

/** How many pods of a group may be unavailable at once: a number, or a percentage of those that have a session. */
export type MaxUnavailable = { count: number } | { percent: number }

/**
 * Where a sidecar is in a turn. `waiting`: it keeps the old set. `taken`: it was granted the turn, and switches if that is
 * acknowledged in time. `switched`: the app is restarted or reads the new set, and is not known to be up. `done`: it is up.
 * `failed`: it does not come up.
 */
export const turnPhases = ['waiting', 'taken', 'switched', 'done', 'failed'] as const
export type TurnPhase = (typeof turnPhases)[number]

/** What a sidecar wants to switch to, or has switched to. */
export interface TurnRequest {
  /** Identifies the set: another set has another ID. */
  id: string
  /** The versions in which the set differs from the one that is served: {@link versionId}. */
  versions: string[]
  /** The same for a person, cut to a bound. */
  objects: string
  phase: TurnPhase
  /** How often the request was taken; an acknowledgment names it, so that a late one is not mistaken for the next. */
  take: number
  /** How long the turn has been held since the switch, in milliseconds. */
  heldMs: number
  /** A person asked for the set with the annotation `refresh`. */
  isRefresh: boolean
  /**
   * The set replaces a version with which the app has not come up, and what is halted of it is served already: another version of
   * the set that failed. Absent from older sidecars.
   */
  isRepair?: boolean
  /** Why it failed: one sentence. */
  cause?: string
}

/** Versions with which a pod failed. A pod that does not serve one of them yet does not switch to a set that contains it. */
export interface Halt {
  versions: string[]
  /** Which pod failed, and how: one sentence. */
  reason: string
}

/** What a sidecar says of its part in turns: a state, sent again whenever it differs and at the beginning of a session. */
export interface TurnState {
  maxUnavailable: MaxUnavailable
  /** How long a turn may be held, in milliseconds. */
  timeoutMs: number
  /** Whether the app of the pod runs and is ready. */
  isUp: boolean
  request?: TurnRequest
  /** What the sidecar knows to be halted: a coordinator that has just started does not. */
  halts: Halt[]
}

/**
 * What a coordinator says to a request. `queued`: wait. `granted`: take it. `acknowledged`: switch. `halted`: wait until the
 * versions are replaced, or a person asks. `ended`: the end is known, nothing is left to say of it.
 */
export const turnAnswers = ['queued', 'granted', 'acknowledged', 'halted', 'ended'] as const
export type TurnAnswer = (typeof turnAnswers)[number]

/** Sent after each state, when the answer changes, and with each heartbeat. */
export interface TurnEvent {
  /** The request that is answered; absent without one. */
  id?: string
  answer?: TurnAnswer
  /** The take that is acknowledged. */
  take?: number
  /** How many requests are before this one. */
  place?: number
  /** What the pod waits for: one sentence. */
  reason?: string
  /** The pods of the group that have a session. */
  members: number
  /** What is halted in the group, in place of what the sidecar knew. */
  halts: Halt[]
}

/** Identifies a version of an object in few bytes; it is derived from names alone, never from a value. */
export const versionId = (object: WatchedObject, version: string): string =>
  createHash('sha256')
    .update(`${objectKey(object)} ${version}`)
    .digest('base64url')
    .slice(0, 12)

const idPattern = /^[\w-]{1,40}$/
const versionIdPattern = /^[\w-]{12}$/

type Fields = Readonly<Record<string, unknown>>

/** Reads a sidecar's state; undefined if it is not one. */
export function parseTurnState({ maxUnavailable, timeoutMs, isUp, request, halts }: Fields): TurnState | undefined {
  const most = parseMaxUnavailable(maxUnavailable)
  const halted = parseHalts(halts)
  if (!most || !isCount(timeoutMs) || typeof isUp !== 'boolean' || !halted) return undefined
  const state = { maxUnavailable: most, timeoutMs, isUp, halts: halted }
  if (request === undefined) return state
  const parsed = parseTurnRequest(request)
  return parsed && { ...state, request: parsed }
}

/** Reads a coordinator's answer; undefined if it is not one. */
export function parseTurnEvent({ id, answer, take, place, reason, members, halts }: Fields): TurnEvent | undefined {
  const halted = parseHalts(halts)
  if (!isCount(members) || !halted) return undefined
  if (id === undefined) return { members, halts: halted }
  const known = turnAnswers.find((one) => one === answer)
  if (!isId(id) || known === undefined) return undefined
  if ((take !== undefined && !isCount(take)) || (place !== undefined && !isCount(place))) return undefined
  return {
    ...{ id, answer: known, members, halts: halted },
    ...(take !== undefined && { take }),
    ...(place !== undefined && { place }),
    ...(typeof reason === 'string' && { reason: turnText(reason) }),
  }
}

/** Makes a text that another program sent fit for a terminal, and cuts it. */
export const turnText = (text: string): string => printable(text.slice(0, longestTurnText)).slice(0, longestTurnText)

/** Reads a request; undefined if it is not one. */
export function parseTurnRequest(value: unknown): TurnRequest | undefined {
  if (!isFields(value)) return undefined
  const { id, versions, objects, phase, take, heldMs, isRefresh, isRepair, cause } = value
  const known = turnPhases.find((one) => one === phase)
  if (!isId(id) || !isVersionIds(versions) || known === undefined || !isCount(take) || !isCount(heldMs))
    return undefined
  if (typeof objects !== 'string' || typeof isRefresh !== 'boolean') return undefined
  return {
    ...{ id, versions, phase: known, take, heldMs, isRefresh, objects: turnText(objects) },
    ...(isRepair === true && { isRepair }),
    ...(typeof cause === 'string' && { cause: turnText(cause) }),
  }
}

function parseMaxUnavailable(value: unknown): MaxUnavailable | undefined {
  if (!isFields(value)) return undefined
  const { count, percent } = value
  if (isCount(count) && count > 0) return { count }
  return isCount(percent, 100) && percent > 0 ? { percent } : undefined
}

/** Reads halts; of the versions in all of them together, there is a bound. */
export function parseHalts(value: unknown): Halt[] | undefined {
  if (!Array.isArray(value) || value.length > maxHalts) return undefined
  const halts: Halt[] = []
  for (const item of value) {
    const { versions, reason } = isFields(item) ? item : {}
    if (!isVersionIds(versions) || typeof reason !== 'string') return undefined
    halts.push({ versions, reason: turnText(reason) })
  }
  return halts.reduce((sum, { versions }) => sum + versions.length, 0) <= maxTurnVersions ? halts : undefined
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isId = (value: unknown): value is string => typeof value === 'string' && idPattern.test(value)
const isVersionIds = (value: unknown): value is string[] =>
  Array.isArray(value) &&
  value.length <= maxTurnVersions &&
  value.every((one) => typeof one === 'string' && versionIdPattern.test(one))
