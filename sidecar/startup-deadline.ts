import { formatDuration } from '../shared/duration.ts'
import type { Failure } from '../shared/detect/failures.ts'
import type { SidecarOutcome } from './outcome-anchors.ts'
import type { Explanation } from './termination-message.ts'

/** How long permanent failures are retried at the start: roles that were just granted take a while to propagate. */
export const permanentFailureGraceMs = 15_000
/** The same for doubtful failures: networks, DNS zones and service meshes of a new pod take longer. */
export const doubtfulFailureGraceMs = 50_000

/** A part of the first set that is missing, and the reason if it is known. */
export interface MissingPart {
  what: string
  failure: Failure | undefined
}

export interface Waiting {
  /** On the monotonic clock. */
  startedAt: number
  now: number
  startupTimeout: number
  missing: readonly MissingPart[]
}

/**
 * The reason to give up waiting for the first set, with a line for each missing part; undefined to continue. Its outcome is what cannot be
 * cured by waiting.
 */
export function giveUpReason({ startedAt, now, startupTimeout, missing }: Waiting): Explanation | undefined {
  const isPast = (since: number | undefined, patience: number) => since !== undefined && now - since >= patience
  const isHopeless = ({ failure }: MissingPart) =>
    isPast(failure?.permanentSince, permanentFailureGraceMs) || isPast(failure?.doubtfulSince, doubtfulFailureGraceMs)
  const isLate = isPast(startedAt, startupTimeout)
  const hopeless = missing.find(isHopeless)
  if (!isLate && !hopeless) return undefined
  const lines = reasonLines(missing)
  if (isLate) lines.push(`gave up after ${formatDuration(startupTimeout)}, the pod's startup-timeout`)
  return { lines, outcome: hopeless?.failure?.kind ?? outcomeOf(missing) }
}

/** Why the first set is not complete yet, for the termination message of a process that ends before it is. */
export const whyWaiting = (missing: readonly MissingPart[]): Explanation => ({
  lines: reasonLines(missing),
  outcome: outcomeOf(missing),
})

/** The first failure that is known. */
const outcomeOf = (missing: readonly MissingPart[]): SidecarOutcome =>
  missing.find(({ failure }) => failure)?.failure?.kind ?? 'no-answer'

/** Each known reason once; if none is known, a line for each missing part. */
function reasonLines(missing: readonly MissingPart[]): string[] {
  const known = missing.flatMap(({ failure }) => (failure ? [failure.message] : []))
  return [...new Set(known.length > 0 ? known : missing.map(({ what }) => `${what}: no answer yet`))]
}
