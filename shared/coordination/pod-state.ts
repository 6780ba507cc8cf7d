import { printable } from '../printable.ts'
import { parseWatched } from './events.ts'
import { parseArray } from './json.ts'
import { maxParts, maxSources, reportedProblems, stateLineBytes } from './limits.ts'
import { isCount, isVersion, type WatchedObject } from './source.ts'

/**
 * Whether the app uses the version that its sidecar serves. `yes`: it started with it, or was notified. `pending`: it is yet to
 * be notified. `none`: there is neither a signal nor a URL. `variable`: an environment variable has an older value, and nothing
 * restarts the container.
 */
export const notifiedCodes = ['yes', 'pending', 'none', 'variable'] as const
export type Notified = (typeof notifiedCodes)[number]

/** An object as a pod's sidecar has applied it; nothing here is derived from a value. */
export interface ObjectState extends WatchedObject {
  /** The version in the files that the app sees; absent if there is none yet. */
  version?: string
  /** When that version was read, in milliseconds since 1970. */
  readAt?: number
  /** Whether the pod requests one version, and so never another. */
  isPinned: boolean
  notified: Notified
  problem?: {
    /** A reason code, such as `forbidden`. */
    kind: string
    /** A sentence with the remedy; a pod sends a bounded number of them. */
    message?: string
  }
}

/** The controller of a pod. */
export interface PodOwner {
  apiVersion: string
  kind: string
  name: string
  uid: string
}

/** What a sidecar has applied. */
export interface PodState {
  /** Whether a complete set of files is there. */
  isServing: boolean
  isSuspended: boolean
  /** The outcome of the last attempt at a notification that is pending. */
  outcome?: string
  /** Whether the signal can be sent, or what is wrong with it. */
  permission?: string
  /** The pod's controller, as the settings name it. */
  owner?: PodOwner
  objects: ObjectState[]
}

/** A line of a state: states are numbered, and have several parts like snapshots. */
export interface StatePart extends PodState {
  type: 'state'
  number: number
  part: number
  parts: number
}

const codePattern = /^[a-z][a-z-]{0,31}$/
const isCode = (value: unknown): value is string => typeof value === 'string' && codePattern.test(value)

/** Characters of a problem's message. */
const longestMessage = 300

/** The lines of a state; objects beyond {@link maxSources} are left out. */
export function stateLines(number: number, { objects, ...pod }: PodState): string[] {
  let messages = 0
  const items = objects.slice(0, maxSources).map((object) => {
    const hasMessage = object.problem?.message !== undefined && messages++ < reportedProblems
    return encodeObject(object, hasMessage)
  })
  const parts: unknown[][] = [[]]
  let bytes = 0
  for (const item of items) {
    const size = Buffer.byteLength(JSON.stringify(item)) + 1
    if (bytes + size > stateLineBytes) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(item)
    bytes += size
  }
  return parts.map((own, part) => {
    const line = { type: 'state', number, part, parts: parts.length, ...pod, objects: own }
    return `${JSON.stringify(line)}\n`
  })
}

function encodeObject({ vault, type, name, problem, ...object }: ObjectState, hasMessage: boolean): unknown[] {
  const { version = null, readAt = null, isPinned, notified } = object
  const message = hasMessage ? printable(problem?.message ?? '').slice(0, longestMessage) : null
  return [vault, type, name, version, readAt, isPinned, notified, problem?.kind ?? null, message]
}

type Fields = Readonly<Record<string, unknown>>

/** Reads a line of a state; fields that this version does not know are ignored. */
export function parseState(fields: Fields): StatePart | undefined {
  const { number, part, parts, isServing, isSuspended, outcome, permission, owner } = fields
  if (!isCount(number) || !isCount(parts, maxParts) || !isCount(part, parts - 1)) return undefined
  if (typeof isServing !== 'boolean' || typeof isSuspended !== 'boolean') return undefined
  if ((outcome !== undefined && !isCode(outcome)) || (permission !== undefined && !isCode(permission))) return undefined
  const objects = parseArray(fields['objects'], maxSources, parseObjectState)
  if (!objects) return undefined
  const codes = { ...(outcome !== undefined && { outcome }), ...(permission !== undefined && { permission }) }
  const parsed = owner === undefined ? undefined : parseOwner(owner)
  if (parsed === null) return undefined
  return {
    type: 'state',
    number,
    part,
    parts,
    isServing,
    isSuspended,
    ...codes,
    ...(parsed && { owner: parsed }),
    objects,
  }
}

const ownerPatterns = {
  apiVersion: /^[a-z0-9.-]{1,253}(\/[a-z0-9]{1,63})?$/,
  kind: /^[A-Za-z0-9]{1,63}$/,
  name: /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/,
  uid: /^[0-9A-Za-z-]{1,64}$/,
} as const

/** Returns null for what is no owner. */
function parseOwner(value: unknown): PodOwner | null {
  if (typeof value !== 'object' || value === null) return null
  const { apiVersion, kind, name, uid } = value as Partial<Record<keyof PodOwner, unknown>>
  const owner = { apiVersion, kind, name, uid }
  const isOwner = Object.entries(ownerPatterns).every(([field, pattern]) => {
    const text = owner[field as keyof PodOwner]
    return typeof text === 'string' && pattern.test(text)
  })
  return isOwner ? (owner as PodOwner) : null
}

function parseObjectState(item: readonly unknown[]): ObjectState | undefined {
  const [, , , version, readAt, isPinned, notified, kind, message] = item
  const object = parseWatched(item)
  if (!object || typeof isPinned !== 'boolean') return undefined
  const code = notifiedCodes.find((one) => one === notified)
  if (code === undefined || (version !== null && !isVersion(version)) || (readAt !== null && !isCount(readAt)))
    return undefined
  if ((kind !== null && !isCode(kind)) || (message !== null && typeof message !== 'string')) return undefined
  // Its sender may be anything: what a terminal would interpret is escaped here, too.
  const said = message === null ? {} : { message: printable(message.slice(0, longestMessage)).slice(0, longestMessage) }
  return {
    ...object,
    ...(version !== null && { version }),
    ...(readAt !== null && { readAt }),
    isPinned,
    notified: code,
    ...(kind !== null && { problem: { kind, ...said } }),
  }
}
