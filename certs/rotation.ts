import { BACKDATE_MS } from './authority.ts'
import { seenSince, type LiveConfiguration, type Sightings } from './sightings.ts'
import type { SecretState } from './secret.ts'
import { callSegment, forgottenSegments, hasSecret, nextSegmentMoment, planSegments, segmentFor, withForgotten, type KnownSegments, type SegmentAction } from './segments.ts' // prettier-ignore
import type { Authority, Leaf } from './x509.ts'

/** All in milliseconds. */
export interface Lifetimes {
  authority: number
  leaf: number
  /** how long the webhook caches of other API servers may lag behind the one that answered us */
  settle: number
}

/** What one replica knows at one moment, all of it read just now. */
export interface Observed {
  /** absent when the Secret does not exist */
  secret?: SecretState | undefined
  configurations: readonly LiveConfiguration[]
  sightings: Sightings
  /** the path segments that this replica answers to */
  known?: KnownSegments
  /** what this replica serves */
  serving?: Leaf | undefined
}

/** One step. Each is a whole: any replica may take it, and may die after it. */
export type Action =
  /** write a new authority beside the ones to keep; `leaf` stays, or where there is none, one is issued in the same write */
  | { type: 'create-authority'; reason: string; keep: readonly Authority[]; keepSegments: readonly string[]; leaf: Leaf | undefined } // prettier-ignore
  /** write what callers already trust and the Secret does not know, so that the next publication does not take it away */
  | { type: 'adopt-authorities'; authorities: readonly Authority[] }
  /** write the certificate that this replica still serves back into a Secret that lost it */
  | { type: 'restore-leaf'; leaf: Leaf }
  | { type: 'issue-leaf'; reason: string }
  | { type: 'serve'; leaf: Leaf }
  /** write what callers have to trust, and what each webhook's path begins with, by the webhook's name */
  | { type: 'publish-bundle'; configuration: string; bundle: readonly Authority[]; segments: Readonly<Record<string, string>> } // prettier-ignore
  | { type: 'drop-authorities'; authorities: readonly Authority[] }
  | SegmentAction

export interface Plan {
  /** most urgent first; after any of them has been taken, look again */
  actions: Action[]
  /** when there is something to do next if nothing is seen to change before */
  wakeAt?: number
}

/** What the rules below are asked about. */
interface Situation extends Observed {
  secret: SecretState
  now: number
  lifetimes: Lifetimes
}

/**
 * What to do next, from what is observed and the time alone. What holds between the steps:
 *
 * - an authority issues only once every caBundle of ours has been seen to contain it for the settle time;
 * - a caBundle is what the Secret says, and whatever callers trust is in the Secret until it is let go of;
 * - an authority is let go of when every certificate that it issued has ended;
 * - a path segment is published when no certificate older than it may be served, and let go of when no caller may use it;
 * - with nothing to lose (no certificate at all, or an ended one) nothing waits.
 */
export function plan({ secret, ...observed }: Observed, now: number, lifetimes: Lifetimes): Plan {
  if (!secret) return { actions: [] }
  const situation = { ...observed, secret, now, lifetimes }
  const actions = [
    replaceUnusableAuthority(situation),
    adoptForgottenAuthorities(situation),
    planSegments(situation),
    provideLeaf(situation),
    serve(situation),
    ...publish(situation),
    renewAuthority(situation),
    renewLeaf(situation),
    dropAuthorities(situation),
  ].filter((action) => action !== undefined)
  const wakeAt = nextMoment(situation)
  return { actions, ...(wakeAt !== undefined && { wakeAt }) }
}

/** When two thirds of a certificate's life are over. Its life begins when it was made: the backdating is not part of it. */
export function renewalTime({ notBefore, notAfter }: { notBefore: number; notAfter: number }): number {
  const made = notBefore + BACKDATE_MS
  return made + ((notAfter - made) * 2) / 3
}

/** Whether a certificate is within its validity at `now`. */
export function isValid({ notBefore, notAfter }: { notBefore: number; notAfter: number }, now: number): boolean {
  return notBefore <= now && now < notAfter
}

/** Whether every webhook of ours trusts what `authority` (its id) issues, as far as we know. */
export function isTrusted(authority: string, configurations: readonly LiveConfiguration[]): boolean {
  const webhooks = configurations.flatMap((configuration) => configuration.webhooks)
  return webhooks.length > 0 && webhooks.every(({ authorities }) => authorities.some(({ id }) => id === authority))
}

function replaceUnusableAuthority(situation: Situation): Action | undefined {
  const { secret, now } = situation
  if (!secret.signer) return createAuthority(situation, 'the Secret holds no authority with its private key')
  if (!isValid(secret.signer.authority, now)) return createAuthority(situation, 'the authority is not valid now')
  if (!hasSecret([...secret.segments, ...forgottenSegments(situation)]))
    return createAuthority(situation, 'there is no path segment, which only a new authority brings')
  return undefined
}

function renewAuthority(situation: Situation): Action | undefined {
  const { signer } = situation.secret
  if (!signer || !isValid(signer.authority, situation.now)) return undefined
  if (situation.now < renewalTime(signer.authority)) return undefined
  return createAuthority(situation, 'two thirds of the life of the authority are over')
}

function createAuthority(situation: Situation, reason: string): Action {
  const { secret, now } = situation
  const keep = [...secret.authorities.filter((authority) => isNeeded(authority, situation)), ...forgotten(situation)]
  const leaf = secret.leaf && isValid(secret.leaf, now) ? secret.leaf : restorable(situation, keep)
  const keepSegments = withForgotten(secret.segments, forgottenSegments(situation))
  return { type: 'create-authority', reason, keep, keepSegments, leaf }
}

function adoptForgottenAuthorities(situation: Situation): Action | undefined {
  const authorities = forgotten(situation)
  return authorities.length === 0 ? undefined : { type: 'adopt-authorities', authorities }
}

function provideLeaf(situation: Situation): Action | undefined {
  const { secret, now } = situation
  if (!secret.signer || !isValid(secret.signer.authority, now)) return undefined
  if (secret.leaf && isValid(secret.leaf, now)) return undefined
  const leaf = restorable(situation, secret.authorities)
  if (leaf) return { type: 'restore-leaf', leaf }
  return {
    type: 'issue-leaf',
    reason: secret.leaf ? 'the certificate is not valid now' : 'the Secret holds none for our Services',
  }
}

/**
 * A trusted certificate is left for one of another authority only when that authority has settled by this replica's own
 * observation: where the Secret was emptied, the certificate in it may be as new as its authority.
 */
function serve({ secret, serving, configurations, sightings, now, lifetimes }: Situation): Action | undefined {
  const { leaf } = secret
  if (!leaf || !isValid(leaf, now) || leaf.id === serving?.id) return undefined
  const nothingToLose = !serving || !isValid(serving, now) || leaf.authority === serving.authority
  const better = isTrusted(leaf.authority, configurations) && !isTrusted(serving?.authority ?? '', configurations)
  const settled = now >= settledAt(leaf.authority, sightings, lifetimes)
  return nothingToLose || better || settled ? { type: 'serve', leaf } : undefined
}

/** Nothing is published while something live is unknown to the Secret: publishing would take it away from those who serve it. */
function publish(situation: Situation): Action[] {
  const { secret } = situation
  const { authorities: bundle } = secret
  if (bundle.length === 0 || !hasSecret(secret.segments)) return []
  if (forgotten(situation).length > 0 || forgottenSegments(situation).length > 0) return []
  return situation.configurations
    .filter(
      ({ webhooks }) =>
      webhooks.some(({ authorities, segment }) => !isSame(authorities, bundle) || segment !== segmentFor(segment, secret)), // prettier-ignore
    )
    .map(({ id, webhooks }) => {
      const segments = webhooks.map(({ name, segment, path }): [string, string] => [
        name,
        callSegment(segmentFor(segment, secret) ?? '', path) ?? '',
      ])
      return { type: 'publish-bundle', configuration: id, bundle, segments: Object.fromEntries(segments) }
    })
}

function renewLeaf({ secret, sightings, now, lifetimes }: Situation): Action | undefined {
  const { signer, leaf } = secret
  if (!signer || !isValid(signer.authority, now) || !leaf || !isValid(leaf, now)) return undefined
  if (leaf.authority !== signer.authority.id) {
    if (now < settledAt(signer.authority.id, sightings, lifetimes)) return undefined
    return { type: 'issue-leaf', reason: 'a new authority has settled' }
  }
  if (now < renewalTime(leaf)) return undefined
  return { type: 'issue-leaf', reason: 'two thirds of the life of the certificate are over' }
}

function dropAuthorities(situation: Situation): Action | undefined {
  const authorities = situation.secret.authorities.filter((authority) => !isNeeded(authority, situation))
  return authorities.length === 0 ? undefined : { type: 'drop-authorities', authorities }
}

/** The certificate that this replica serves, where callers trust it and the authority stays. */
function restorable({ serving, configurations, now }: Situation, staying: readonly Authority[]): Leaf | undefined {
  if (!serving || !isValid(serving, now) || !isTrusted(serving.authority, configurations)) return undefined
  return staying.some(({ id }) => id === serving.authority) ? serving : undefined
}

/** What callers trust and the Secret does not know: it was emptied, or another source of certificates is being replaced by this one. */
function forgotten({ secret, configurations, now, lifetimes }: Situation): Authority[] {
  const known = new Set(secret.authorities.map(({ id }) => id))
  const live = configurations.flatMap(({ webhooks }) => webhooks.flatMap(({ authorities }) => authorities))
  const unknown = live.filter((authority) => !known.has(authority.id) && now < letGoAt(authority, secret, lifetimes))
  return [...new Map(unknown.map((authority) => [authority.id, authority])).values()]
}

function isNeeded(authority: Authority, { secret, now, lifetimes }: Situation): boolean {
  if (authority.id === secret.signer?.authority.id) return true
  return now < letGoAt(authority, secret, lifetimes)
}

/**
 * When every certificate that an authority issued has ended, by a clock that may be off by the settle time. One without a record
 * is kept until it ends itself; the next write makes the record.
 */
function letGoAt({ id, notAfter }: Authority, { records }: SecretState, { settle }: Lifetimes): number {
  const record = records[id]
  return record ? Math.min(record.leavesUntil + settle, notAfter) : notAfter
}

function settledAt(authority: string, sightings: Sightings, { settle }: Lifetimes): number {
  return (seenSince(sightings, authority) ?? Infinity) + settle
}

function isSame(some: readonly Authority[], others: readonly Authority[]): boolean {
  const ids = new Set(others.map(({ id }) => id))
  return some.length === others.length && some.every(({ id }) => ids.has(id))
}

function nextMoment(situation: Situation): number | undefined {
  const { secret, serving, sightings, now, lifetimes } = situation
  const { signer, leaf, authorities } = secret
  const moments = [
    ...(signer ? [renewalTime(signer.authority), settledAt(signer.authority.id, sightings, lifetimes)] : []),
    ...(leaf ? [renewalTime(leaf), leaf.notAfter, settledAt(leaf.authority, sightings, lifetimes)] : []),
    ...authorities.map((authority) => letGoAt(authority, secret, lifetimes)),
    ...(serving ? [serving.notAfter] : []),
    nextSegmentMoment(situation) ?? Infinity,
  ].filter((moment) => moment > now && moment < Infinity)
  return moments.length === 0 ? undefined : Math.min(...moments)
}
