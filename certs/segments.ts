import { createHmac, randomBytes } from 'node:crypto'
import { trustedSince, type LiveConfiguration, type TrustHistory } from './trust-history.ts'
import type { SecretState } from './secret-state.ts'

/** A path's first segment: 128 bits in lower-case hex, because the API server requires DNS subdomains between the slashes. */
const leading = /^\/([0-9a-f]{32})(?=\/)/
const whole = /^[0-9a-f]{32}$/
const lone = /^[0-9a-f]{32}\//

/** Creates the secret that the entries' path segments are derived from. It is only in the Secret. */
export const createSegment = (): string => randomBytes(16).toString('hex')

/**
 * Whether `text` is an item of the Secret: a secret, or the segment of an entry whose secret is not known anymore, together with the entry's
 * path, as in `<32 hex digits>/guard`.
 */
export const isSegment = (text: unknown): text is string =>
  typeof text === 'string' && (isShared(text) || lone.test(text))

const isShared = (segment: string): boolean => whole.test(segment)

export const hasSecret = (segments: readonly string[]): boolean => segments.some(isShared)

/**
 * Returns the segment before an entry's path; undefined if it belongs to another entry. Each entry has its own, because the API server's error
 * about a failed call shows its URL to the pod's author.
 */
export function callSegment(segment: string, path: string): string | undefined {
  if (isShared(segment)) return createHmac('sha256', segment).update(path).digest('hex').slice(0, 32)
  return segment.slice(32) === path ? segment.slice(0, 32) : undefined
}

/** Reverses `callSegment`: returns which of these segments an entry calls. */
export function segmentOf(called: string | undefined, path: string, segments: readonly string[]): string | undefined {
  if (called === undefined) return undefined
  return segments.find((segment) => callSegment(segment, path) === called) ?? `${called}${path}`
}

/** Splits the path in a webhook configuration into its segment and the entry's own path, which may be empty. */
export function splitPath(path: string): { segment: string | undefined; own: string } {
  const segment = leading.exec(path)?.[1]
  const own = segment === undefined ? path : path.slice(segment.length + 1)
  return { segment, own: own === '/' ? '' : own }
}

/** The input of the rules below. */
interface Situation {
  secret: SecretState
  configurations: readonly LiveConfiguration[]
  known?: KnownSegments
  history: TrustHistory
  now: number
  lifetimes: { propagationMs: number }
}

/** A step for the segments alone. A new segment is only created together with a new authority. */
export type SegmentAction =
  /** write the segments that callers already use but the Secret lacks */
  { type: 'adopt-segments'; segments: readonly string[] } | { type: 'drop-segments'; segments: readonly string[] }

/** The segments that a replica accepts, each with its end (milliseconds since 1970). */
export type KnownSegments = ReadonlyMap<string, number>

/**
 * Adds the segments of the Secret and of callers to those known before, newest first. A segment in neither of them stays known for another
 * propagation time, because a write that another replica began earlier may still publish it.
 */
export function knowSegments(
  before: KnownSegments,
  { secret, configurations }: { secret: SecretState | undefined; configurations: readonly LiveConfiguration[] },
  { now, propagationMs }: { now: number; propagationMs: number },
): KnownSegments {
  const stored = secret?.segments ?? []
  const live = liveSegments(configurations)
  const until = (segment: string): number =>
    stored.includes(segment) || live.includes(segment)
      ? Infinity
      : Math.min(before.get(segment) ?? 0, now + propagationMs)
  const all = [...new Set([...stored, ...before.keys(), ...live])]
  return new Map(all.map((segment): [string, number] => [segment, until(segment)]).filter(([, end]) => end > now))
}

/**
 * Returns the segments that callers use but the Secret lacks: it was emptied or restored. While every replica knows the newest segment, an
 * unknown one is overwritten instead.
 */
export function unrecordedSegments({
  secret,
  configurations,
  known,
}: Pick<Situation, 'secret' | 'configurations' | 'known'>): string[] {
  const used = liveSegments(configurations)
  const lost = hasSecret(secret.segments) ? (isAlone(secret) ? [] : used) : [...(known?.keys() ?? [])]
  return lost.filter((segment) => !secret.segments.includes(segment))
}

/**
 * Returns the segment that an entry of a webhook configuration has to call.
 *
 * A new segment is created in the same write as a new authority. It is published when that authority is the only one left: every ready replica
 * then serves a certificate of it, so it has read the Secret with both. Until then, an entry keeps its segment, and one that lost it gets the
 * oldest, which every replica knows.
 */
export function segmentFor(live: string | undefined, secret: SecretState): string | undefined {
  const { segments } = secret
  if (isAlone(secret)) return segments.find(isShared)
  return live !== undefined && segments.includes(live) ? live : segments.findLast(isShared)
}

/** Returns what to do about the segments alone, if the Secret has an authority. */
export function planSegments(situation: Situation): SegmentAction | undefined {
  const { secret, history, now, lifetimes } = situation
  if (!secret.signer) return undefined
  const unrecorded = unrecordedSegments(situation)
  if (unrecorded.length > 0) return { type: 'adopt-segments', segments: withUnrecorded(secret.segments, unrecorded) }
  const newest = replacing(secret)
  if (newest === undefined || !isAlone(secret)) return undefined
  return now < droppableAt(newest, history, lifetimes) ? undefined : { type: 'drop-segments', segments: [newest] }
}

/** Returns when the older segments may be removed if no change is observed before; undefined if there is only one. */
export function nextSegmentMoment({ secret, history, lifetimes }: Situation): number | undefined {
  const newest = replacing(secret)
  return newest === undefined ? undefined : droppableAt(newest, history, lifetimes)
}

/** Returns the newest secret, if there are other segments. */
const replacing = ({ segments }: SecretState): string | undefined =>
  segments.length > 1 ? segments.find(isShared) : undefined

/** Inserts segments before the oldest one, which every replica knows. */
export const withUnrecorded = (segments: readonly string[], unrecorded: readonly string[]): string[] => [
  ...segments.slice(0, -1),
  ...unrecorded,
  ...segments.slice(-1),
]

/** API servers may use a webhook configuration as it was a propagation time ago. */
const droppableAt = (newest: string, history: TrustHistory, { propagationMs }: { propagationMs: number }): number =>
  (trustedSince(history, newest) ?? Infinity) + propagationMs

/** Whether no certificate of another authority than the one that issues may be served any more. */
const isAlone = ({ authorities, signer, leaf }: SecretState): boolean =>
  authorities.every(({ id }) => id === signer?.authority.id) && leaf?.authority === signer?.authority.id

const liveSegments = (configurations: readonly LiveConfiguration[]): string[] => [
  ...new Set(configurations.flatMap(({ webhooks }) => webhooks.flatMap(({ segment }) => segment ?? []))),
]
