import type { Random } from '../clock.ts'
import type { ConnectionEnd } from './connection.ts'

/** For so long, attempts go on with the jitter alone. */
const eagerMs = 120_000
const longestMs = 600_000
/** After these answers, no attempt succeeds before a person changes something. */
const refused: ReadonlySet<number> = new Set([400, 401, 403])

/**
 * The time until the next attempt, in milliseconds.
 * @param failingMs how long there has been no session
 * @param attempts how many failed since
 * @param jitterMs over how long sidecars come back that lost their sessions at the same moment
 */
export function reconnectDelay(
  { status, retryAfterMs = 0 }: Pick<ConnectionEnd, 'status' | 'retryAfterMs'>,
  { failingMs, attempts, jitterMs }: { failingMs: number; attempts: number; jitterMs: number },
  random: Random,
): number {
  if (status !== undefined && refused.has(status)) return longestMs * (0.9 + 0.2 * random())
  if (failingMs < eagerMs) return retryAfterMs + jitterMs * random()
  const delay = Math.min(longestMs, jitterMs * 2 ** Math.min(attempts, 20))
  return retryAfterMs + delay * (0.5 + 0.5 * random())
}
