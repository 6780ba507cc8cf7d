import { BACKDATE_MS } from './authority.ts'
import { trustedSince, type LiveConfiguration, type TrustHistory } from './trust-history.ts'
import type { SecretState } from './secret-state.ts'
import {
  callSegment,
  unrecordedSegments,
  hasSecret,
  nextSegmentMoment,
  planSegments,
  segmentFor,
  withUnrecorded,
  type KnownSegments,
  type SegmentAction,
} from './segments.ts'
import type { Authority, Leaf } from './x509.ts'
import type { Lifetimes } from './secret-state.ts'

/** What one replica observes at one moment. */
export interface Observed {
  /** absent when the Secret does not exist */
  secret?: SecretState | undefined
  configurations: readonly LiveConfiguration[]
  history: TrustHistory
  /** the path segments that this replica answers to */
  known?: KnownSegments
  /** what this replica serves */
  serving?: Leaf | undefined
}

/** One step. Each is complete in itself: any replica may apply it and may crash afterwards. */
export type Action =
  /** write a new authority beside the ones to keep; `leaf` stays; if there is none, one is issued in the same write */
  | {
      type: 'create-authority'
      reason: string
      keep: readonly Authority[]
      keepSegments: readonly string[]
      leaf: Leaf | undefined
    }
  /** write what callers already trust but the Secret lacks, so that the next publication does not remove it */
  | { type: 'adopt-authorities'; authorities: readonly Authority[] }
  /** write the certificate that this replica still serves back into the Secret that lost it */
  | { type: 'restore-leaf'; leaf: Leaf }
  | { type: 'issue-leaf'; reason: string }
  | { type: 'serve'; leaf: Leaf }
  /** write the authorities that callers have to trust, and the path segment of each webhook by its name */
  | {
      type: 'publish-bundle'
      configuration: string
      bundle: readonly Authority[]
      segments: Readonly<Record<string, string>>
    }
  | { type: 'drop-authorities'; authorities: readonly Authority[] }
  | SegmentAction

export interface Plan {
  /** most urgent first; after one of them was applied, the cluster is observed again */
  actions: Action[]
  /** when there is something to do next if no change is observed before */
  wakeAt?: number
}

/** The input of the rules below. */
interface Situation extends Observed {
  secret: SecretState
  now: number
  lifetimes: Lifetimes
}

/**
 * Returns what to do next, based only on observations and the time. Invariants between the steps:
 *
 * - an authority issues only after every managed caBundle was observed to contain it for the propagation time;
 * - a caBundle equals the Secret's authorities, and everything that callers trust is in the Secret until it is retired;
 * - an authority is retired when every certificate that it issued has expired;
 * - a path segment is published when no certificate older than it may be served, and retired when no caller may use it;
 * - without anything to lose (no certificate, or an expired one), nothing waits.
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

/** Returns when two thirds of a certificate's lifetime are over, which begins at its creation: backdating does not count. */
export function renewalTime({ notBefore, notAfter }: { notBefore: number; notAfter: number }): number {
  const made = notBefore + BACKDATE_MS
  return made + ((notAfter - made) * 2) / 3
}

/** Whether a certificate is within its validity at `now`. */
export function isValid({ notBefore, notAfter }: { notBefore: number; notAfter: number }, now: number): boolean {
  return notBefore <= now && now < notAfter
}

/** Whether every managed webhook is known to trust what `authority` (an ID) issues. */
export function isTrusted(authority: string, configurations: readonly LiveConfiguration[]): boolean {
  const webhooks = configurations.flatMap((configuration) => configuration.webhooks)
  return webhooks.length > 0 && webhooks.every(({ authorities }) => authorities.some(({ id }) => id === authority))
}

function replaceUnusableAuthority(situation: Situation): Action | undefined {
  const { secret, now } = situation
  if (!secret.signer) return createAuthority(situation, 'the Secret holds no authority with its private key')
  if (!isValid(secret.signer.authority, now)) return createAuthority(situation, 'the authority is not valid now')
  if (!hasSecret([...secret.segments, ...unrecordedSegments(situation)]))
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
  const keep = [
    ...secret.authorities.filter((authority) => isNeeded(authority, situation)),
    ...unknownAuthorities(situation),
  ]
  const leaf = secret.leaf && isValid(secret.leaf, now) ? secret.leaf : restorable(situation, keep)
  const keepSegments = withUnrecorded(secret.segments, unrecordedSegments(situation))
  return { type: 'create-authority', reason, keep, keepSegments, leaf }
}

function adoptForgottenAuthorities(situation: Situation): Action | undefined {
  const authorities = unknownAuthorities(situation)
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
    reason: secret.leaf ? 'the certificate is not valid now' : 'the Secret has none for the Services',
  }
}

/**
 * Replaces a trusted certificate by one of another authority only after this replica itself observed that authority for the propagation time:
 * if the Secret was emptied, the certificate in it may be as new as its authority.
 */
function serve({ secret, serving, configurations, history, now, lifetimes }: Situation): Action | undefined {
  const { leaf } = secret
  if (!leaf || !isValid(leaf, now) || leaf.id === serving?.id) return undefined
  const nothingToLose = !serving || !isValid(serving, now) || leaf.authority === serving.authority
  const better = isTrusted(leaf.authority, configurations) && !isTrusted(serving?.authority ?? '', configurations)
  const consistent = now >= propagatedAt(leaf.authority, history, lifetimes)
  return nothingToLose || better || consistent ? { type: 'serve', leaf } : undefined
}

/** Publishes nothing while the Secret lacks something that is live, because publishing would remove it from replicas that serve it. */
function publish(situation: Situation): Action[] {
  const { secret } = situation
  const { authorities: bundle } = secret
  if (bundle.length === 0 || !hasSecret(secret.segments)) return []
  if (unknownAuthorities(situation).length > 0 || unrecordedSegments(situation).length > 0) return []
  return situation.configurations
    .filter(({ webhooks }) =>
      webhooks.some(
        ({ authorities, segment }) => !isSame(authorities, bundle) || segment !== segmentFor(segment, secret),
      ),
    )
    .map(({ id, webhooks }) => {
      const segments = webhooks.map(({ name, segment, path }): [string, string] => [
        name,
        callSegment(segmentFor(segment, secret) ?? '', path) ?? '',
      ])
      return { type: 'publish-bundle', configuration: id, bundle, segments: Object.fromEntries(segments) }
    })
}

function renewLeaf({ secret, history, now, lifetimes }: Situation): Action | undefined {
  const { signer, leaf } = secret
  if (!signer || !isValid(signer.authority, now) || !leaf || !isValid(leaf, now)) return undefined
  if (leaf.authority !== signer.authority.id) {
    if (now < propagatedAt(signer.authority.id, history, lifetimes)) return undefined
    return { type: 'issue-leaf', reason: 'every caller trusts the new authority' }
  }
  if (now < renewalTime(leaf)) return undefined
  return { type: 'issue-leaf', reason: 'two thirds of the life of the certificate are over' }
}

function dropAuthorities(situation: Situation): Action | undefined {
  const authorities = situation.secret.authorities.filter((authority) => !isNeeded(authority, situation))
  return authorities.length === 0 ? undefined : { type: 'drop-authorities', authorities }
}

/** Returns the certificate that this replica serves, if callers trust it and its authority stays. */
function restorable({ serving, configurations, now }: Situation, staying: readonly Authority[]): Leaf | undefined {
  if (!serving || !isValid(serving, now) || !isTrusted(serving.authority, configurations)) return undefined
  return staying.some(({ id }) => id === serving.authority) ? serving : undefined
}

/** Returns authorities that callers trust but the Secret lacks: it was emptied, or certificates came from another source before. */
function unknownAuthorities({ secret, configurations, now, lifetimes }: Situation): Authority[] {
  const known = new Set(secret.authorities.map(({ id }) => id))
  const live = configurations.flatMap(({ webhooks }) => webhooks.flatMap(({ authorities }) => authorities))
  const unknown = live.filter((authority) => !known.has(authority.id) && now < retireAt(authority, secret, lifetimes))
  return [...new Map(unknown.map((authority) => [authority.id, authority])).values()]
}

function isNeeded(authority: Authority, { secret, now, lifetimes }: Situation): boolean {
  if (authority.id === secret.signer?.authority.id) return true
  return now < retireAt(authority, secret, lifetimes)
}

/**
 * Returns when every certificate that an authority issued has expired, even by a clock that is off by the propagation time. An authority
 * without a record is kept until it expires itself; the next write creates the record.
 */
function retireAt({ id, notAfter }: Authority, { records }: SecretState, { propagationMs }: Lifetimes): number {
  const record = records[id]
  return record ? Math.min(record.leavesUntil + propagationMs, notAfter) : notAfter
}

function propagatedAt(authority: string, history: TrustHistory, { propagationMs }: Lifetimes): number {
  return (trustedSince(history, authority) ?? Infinity) + propagationMs
}

function isSame(some: readonly Authority[], others: readonly Authority[]): boolean {
  const ids = new Set(others.map(({ id }) => id))
  return some.length === others.length && some.every(({ id }) => ids.has(id))
}

function nextMoment(situation: Situation): number | undefined {
  const { secret, serving, history, now, lifetimes } = situation
  const { signer, leaf, authorities } = secret
  const moments = [
    ...(signer ? [renewalTime(signer.authority), propagatedAt(signer.authority.id, history, lifetimes)] : []),
    ...(leaf ? [renewalTime(leaf), leaf.notAfter, propagatedAt(leaf.authority, history, lifetimes)] : []),
    ...authorities.map((authority) => retireAt(authority, secret, lifetimes)),
    ...(serving ? [serving.notAfter] : []),
    nextSegmentMoment(situation) ?? Infinity,
  ].filter((moment) => moment > now && moment < Infinity)
  return moments.length === 0 ? undefined : Math.min(...moments)
}
