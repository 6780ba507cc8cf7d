import type { Source } from '../../shared/detect/sources.ts'
import type { PollResult } from './context.ts'
import type { FailureKind, VaultFailure } from '../../shared/vault/store.ts'

/** What a poll means for the schedule, for metrics and for the state of the vault. */
export interface PollOutcome {
  /** Everything was read or confirmed; something was; nothing was. */
  result: 'success' | 'partial' | 'failed'
  /** True if the vault answered about any object, even with "does not exist", or if there was nothing to request. */
  isAnswered: boolean
  /** True if something failed that a retry may cure, or anything at all while the pod waits for its first set. */
  failed: boolean
  /** How long the vault asked to wait, in milliseconds. */
  retryAfter?: number
  /** True if all that failed has to be fixed by a person. */
  refused?: boolean
  /** Of a poll that did not succeed: the first failed list's failure, else the first object's. */
  message?: string
}

/** @param ready whether a set is served: until then, every failure is retried soon */
export function judgePoll(
  { read, volumeError }: Pick<PollResult, 'read' | 'volumeError'>,
  ready: boolean,
): PollOutcome {
  const failures = [
    ...read.listFailures,
    ...(read.search?.failures.values() ?? []),
    ...Array.from(read.failures)
      .filter(counts)
      .map(([, failure]) => failure),
  ]
  const isRead = read.reads.size + read.unchanged.length + (read.search?.listed.size ?? 0) > 0
  const retryAfter = Math.max(0, ...failures.map((failure) => failure.retryAfter ?? 0))
  const [first] = failures
  return {
    result: first === undefined ? 'success' : isRead ? 'partial' : 'failed',
    isAnswered: first === undefined || isRead || failures.some(({ kind }) => answers.has(kind)),
    failed: volumeError !== undefined || failures.some(({ transient }) => transient || !ready),
    refused: volumeError === undefined && failures.every(({ transient }) => !transient),
    ...(retryAfter > 0 && { retryAfter }),
    ...(first !== undefined && { message: first.message }),
  }
}

/** Failures of an object itself rather than of the request. */
const answers: ReadonlySet<FailureKind> = new Set(['gone', 'disabled', 'pending', 'selection'])

/** With these, the vault says of an optional object what it may say: that the pod has to do without it. */
const allowed: ReadonlySet<FailureKind> = new Set(['gone', 'not-found', 'disabled', 'forbidden'])

/** An optional object that the pod may not read, or that does not exist, is not a failure. */
const counts = ([source, { kind }]: [Source, VaultFailure]): boolean => !source.optional || !allowed.has(kind)
