import type { Measured } from './results.ts'
import type { Workshop } from './workshop.ts'

/** Something that is measured in one go; each id is a row of the table. */
export interface Bench {
  ids: string[]
  /** What is missing here that it needs, if anything. */
  lacks?: () => string | undefined | Promise<string | undefined>
  run: (workshop: Workshop) => Promise<Measured[]>
}
