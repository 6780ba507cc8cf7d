import type { Clock } from '../../shared/clock.ts'

/** 1 % of what a vault takes ({@link https://learn.microsoft.com/azure/key-vault/general/service-limits}): 4,000 requests in 10 s. */
export const vaultBudget = { requests: 40, periodMs: 10_000 }

/** Bounds the requests to one vault. */
export interface Budget {
  /** Resolves when a request may begin. */
  ready(abort: AbortSignal): Promise<void>
  /** Takes requests off after they were made: only then is it known how many pages a list has. */
  spend(requests: number): void
}

/** Creates a budget that refills steadily; what was spent beyond it is waited for. */
export function createBudget(
  clock: Pick<Clock, 'elapsed' | 'wait'>,
  { requests, periodMs }: typeof vaultBudget = vaultBudget,
): Budget {
  let level = requests
  let at = clock.elapsed()
  const refill = (): void => {
    const now = clock.elapsed()
    level = Math.min(requests, level + ((now - at) * requests) / periodMs)
    at = now
  }
  return {
    async ready(abort) {
      for (refill(); level < 1 && !abort.aborted; refill()) {
        await clock.wait(Math.ceil(((1 - level) * periodMs) / requests), abort)
      }
    },
    spend(spent) {
      refill()
      level -= spent
    },
  }
}
