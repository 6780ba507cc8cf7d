import type { Test } from 'tap'

/** Options of a test that needs something of the machine. */
export interface Needs {
  skip?: string
}

/**
 * Options of a test that needs something which not every machine has: without it the test is skipped, and the reason stands in the
 * summary. With `NO_SKIPS` in the environment, it runs and fails instead.
 */
export function needs(what: string, isThere: boolean, { NO_SKIPS } = process.env): Needs {
  if (isThere || NO_SKIPS) return {}
  return { skip: `${what}: not on this machine` }
}

/** Skips the rest of a test that found out while it ran that the machine lacks something; with `NO_SKIPS` it fails. */
export function leaveOut(t: Pick<Test, 'pass' | 'fail'>, reason: string): void {
  if (process.env['NO_SKIPS']) t.fail(reason)
  else t.pass(reason, { skip: reason })
}
