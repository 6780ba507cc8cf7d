import type { PollOutcome } from './poller.ts'
import type { Source } from './sources.ts'
import type { Ticked } from './tick.ts'
import type { FailureKind, VaultFailure } from './vault/vault.ts'

/** What a tick means for the schedule, for metrics and for whoever asks how the vault is. */
export interface Verdict extends PollOutcome {
  /** Everything was read or confirmed; something was; nothing was. */
  result: 'success' | 'partial' | 'failed'
  /** Whether the vault said anything of an object, be it that it does not exist, or had nothing to be asked. */
  isAnswered: boolean
  /** Of a poll that was no success: the vault's own trouble, else the first object's. */
  message?: string
}

/** @param ready whether a set is served: before that, whatever fails is tried again soon */
export function judge({ found, volumeError }: Ticked, ready: boolean): Verdict {
  const failures = [
    ...found.listFailures,
    ...Array.from(found.failures)
      .filter(counts)
      .map(([, failure]) => failure),
  ]
  const isRead = found.reads.size + found.unchanged.length > 0
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

/** What is wrong with an object, and not with asking its vault. */
const answers: ReadonlySet<FailureKind> = new Set(['gone', 'disabled', 'pending'])

/** An optional object that the pod may not have, or that does not exist, is as it should be. */
const counts = ([source, { transient }]: [Source, VaultFailure]): boolean => transient || !source.optional
