import type { Measured } from './results.ts'
import type { BenchContext } from './bench-context.ts'

/** A measurement; each ID is a row of the table. */
export interface Bench {
  ids: string[]
  /** Returns what the bench needs and this machine lacks. */
  lacks?: (context: Pick<BenchContext, 'peers'>) => string | undefined | Promise<string | undefined>
  run: (context: BenchContext) => Promise<Measured[]>
}
