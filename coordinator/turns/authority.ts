import { formatDuration } from '../../shared/duration.ts'
import type { Clock } from '../../shared/clock.ts'
import type { Lease } from './lease.ts'

/** After so long without the Lease, another coordinator is likely to have it, in milliseconds: twice its duration. */
const elsewhereMs = 30_000

/** Decides whether this coordinator may grant turns. */
export class Authority {
  readonly #lease: Pick<Lease, 'heldMs' | 'other'>
  readonly #clock: Pick<Clock, 'elapsed'>
  readonly #grace: () => number
  /** When it last had the Lease, or began. */
  #lastAt: number
  #hasHeld = false

  /** @param grace how long sidecars may take to come back and say which turns they hold, in milliseconds */
  constructor(lease: Pick<Lease, 'heldMs' | 'other'>, grace: () => number, clock: Pick<Clock, 'elapsed'>) {
    this.#lease = lease
    this.#clock = clock
    this.#grace = grace
    this.#lastAt = clock.elapsed()
  }

  /** Why nothing may be granted now; undefined if this coordinator decides. */
  whyNot = (): string | undefined => {
    const { heldMs, other } = this.#lease
    if (heldMs === undefined)
      return other === undefined
        ? 'the coordinator does not have its Lease, see its log'
        : `another coordinator has the Lease: ${other}`
    this.#hasHeld = true
    this.#lastAt = this.#clock.elapsed()
    const rest = this.#grace() - heldMs
    return rest > 0 ? `the coordinator has just started, and grants turns in ${formatDuration(rest)}` : undefined
  }

  /** Whether pods that wait have to look for another coordinator, which decides. */
  isElsewhere = (): boolean => {
    if (this.#lease.heldMs !== undefined) return false
    const isKnown = this.#hasHeld || this.#lease.other !== undefined
    return isKnown && this.#clock.elapsed() - this.#lastAt >= elsewhereMs
  }
}
