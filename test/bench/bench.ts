import type { Measured } from './results.ts'
import type { Workshop } from './workshop.ts'

/** Something that is measured in one go; each id is a row of the table. */
export interface Bench {
  ids: string[]
  run: (workshop: Workshop) => Promise<Measured[]>
}
