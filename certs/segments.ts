import { createHmac, randomBytes } from 'node:crypto'
import { seenSince, type LiveConfiguration, type Sightings } from './sightings.ts'
import type { SecretState } from './secret.ts'

/** What a path begins with: 128 bits in lower-case hex, for the API server wants DNS subdomains between the slashes. */
const leading = /^\/([0-9a-f]{32})(?=\/)/
const whole = /^[0-9a-f]{32}$/
const lone = /^[0-9a-f]{32}\//

/** The secret that the entries' path segments are derived from. It is in the Secret alone. */
export const createSegment = (): string => randomBytes(16).toString('hex')

/**
 * Whether `text` is what the Secret has: a secret, or an entry's own segment of which no secret is known any more, together with the
 * entry's own path, as in `<32 hex digits>/guard`.
 */
export const isSegment = (text: unknown): text is string =>
  typeof text === 'string' && (isShared(text) || lone.test(text))

const isShared = (segment: string): boolean => whole.test(segment)

export const hasSecret = (segments: readonly string[]): boolean => segments.some(isShared)

/**
 * What stands before the own path of an entry; undefined if the segment is another entry's alone. Each entry has its own, because
 * the API server's error about a call that failed shows its URL to the pod's author.
 */
export function callSegment(segment: string, path: string): string | undefined {
  if (isShared(segment)) return createHmac('sha256', segment).update(path).digest('hex').slice(0, 32)
  return segment.slice(32) === path ? segment.slice(0, 32) : undefined
}

/** The opposite of `callSegment`: which of these segments an entry calls. */
export function segmentOf(called: string | undefined, path: string, segments: readonly string[]): string | undefined {
  if (called === undefined) return undefined
  return segments.find((segment) => callSegment(segment, path) === called) ?? `${called}${path}`
}

/** The segment that a path of a registration begins with, and the rest: the entry's own path, empty if there is none. */
export function splitPath(path: string): { segment: string | undefined; own: string } {
  const segment = leading.exec(path)?.[1]
  const own = segment === undefined ? path : path.slice(segment.length + 1)
  return { segment, own: own === '/' ? '' : own }
}

/** What the rules below are asked about. */
interface Situation {
  secret: SecretState
  configurations: readonly LiveConfiguration[]
  known?: KnownSegments
  sightings: Sightings
  now: number
  lifetimes: { settle: number }
}

/** A step for the segments alone. A new one is made with each new authority, and never without. */
export type SegmentAction =
  /** write what callers already use and the Secret does not know */
  { type: 'adopt-segments'; segments: readonly string[] } | { type: 'drop-segments'; segments: readonly string[] }

/** What a replica answers to: each segment, and until when (milliseconds since 1970). */
export type KnownSegments = ReadonlyMap<string, number>

/**
 * Adds what is in the Secret and what callers use now to what was known before, newest first. What is in neither any more is known for
 * another settle time: a write that another replica began before may still publish it.
 */
export function knowSegments(
  before: KnownSegments,
  { secret, configurations }: { secret: SecretState | undefined; configurations: readonly LiveConfiguration[] },
  { now, settle }: { now: number; settle: number },
): KnownSegments {
  const stored = secret?.segments ?? []
  const live = liveSegments(configurations)
  const until = (segment: string): number =>
    stored.includes(segment) || live.includes(segment) ? Infinity : Math.min(before.get(segment) ?? 0, now + settle)
  const all = [...new Set([...stored, ...before.keys(), ...live])]
  return new Map(all.map((segment): [string, number] => [segment, until(segment)]).filter(([, end]) => end > now))
}

/**
 * What callers use and the Secret does not know: it was emptied, or is an older one. While every replica knows the newest segment,
 * a strange one is written over instead.
 */
export function forgottenSegments({
  secret,
  configurations,
  known,
}: Pick<Situation, 'secret' | 'configurations' | 'known'>): string[] {
  const used = liveSegments(configurations)
  const lost = hasSecret(secret.segments) ? (isAlone(secret) ? [] : used) : [...(known?.keys() ?? [])]
  return lost.filter((segment) => !secret.segments.includes(segment))
}

/**
 * The segment that an entry of a registration has to call.
 *
 * A new one is made in the same write as a new authority. It is published when that authority is the only one left: every ready
 * replica then serves a certificate of it, and so has read the Secret that has both. Until then an entry keeps what it has, and
 * one that has lost it gets the oldest, which every replica knows.
 */
export function segmentFor(live: string | undefined, secret: SecretState): string | undefined {
  const { segments } = secret
  if (isAlone(secret)) return segments.find(isShared)
  return live !== undefined && segments.includes(live) ? live : segments.findLast(isShared)
}

/** What has to be done about the segments alone, where the Secret has an authority. */
export function planSegments(situation: Situation): SegmentAction | undefined {
  const { secret, sightings, now, lifetimes } = situation
  if (!secret.signer) return undefined
  const forgotten = forgottenSegments(situation)
  if (forgotten.length > 0) return { type: 'adopt-segments', segments: withForgotten(secret.segments, forgotten) }
  const newest = replacing(secret)
  if (newest === undefined || !isAlone(secret)) return undefined
  return now < droppableAt(newest, sightings, lifetimes) ? undefined : { type: 'drop-segments', segments: [newest] }
}

/** When the older segments may go, if nothing is seen to change before; undefined while there is only one, or others come first. */
export function nextSegmentMoment({ secret, sightings, lifetimes }: Situation): number | undefined {
  const newest = replacing(secret)
  return newest === undefined ? undefined : droppableAt(newest, sightings, lifetimes)
}

/** The newest secret, if there are other segments. */
const replacing = ({ segments }: SecretState): string | undefined =>
  segments.length > 1 ? segments.find(isShared) : undefined

/** Ahead of the oldest, which stands for those that every replica knows. */
export const withForgotten = (segments: readonly string[], forgotten: readonly string[]): string[] => [
  ...segments.slice(0, -1),
  ...forgotten,
  ...segments.slice(-1),
]

/** API servers may go by a registration as it was a settle time ago. */
const droppableAt = (newest: string, sightings: Sightings, { settle }: { settle: number }): number =>
  (seenSince(sightings, newest) ?? Infinity) + settle

/** Whether no certificate of another authority than the one that issues may be served any more. */
const isAlone = ({ authorities, signer, leaf }: SecretState): boolean =>
  authorities.every(({ id }) => id === signer?.authority.id) && leaf?.authority === signer?.authority.id

const liveSegments = (configurations: readonly LiveConfiguration[]): string[] => [
  ...new Set(configurations.flatMap(({ webhooks }) => webhooks.flatMap(({ segment }) => segment ?? []))),
]
