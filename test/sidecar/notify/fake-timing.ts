import { setImmediate } from 'node:timers/promises'
import type { Clock, Random } from '../../../shared/clock.ts'
import { VirtualClock } from '../../support/clock.ts'

export interface FakeTiming {
  clock: Clock
  random: Random
  now: () => number
  /** Lets that much time pass, timer by timer, and waits until what they started comes to rest. */
  pass: (milliseconds: number) => Promise<void>
  /** How many timers run. */
  timers: () => number
}

/** A clock that stands still until it is advanced, and a random number that is always the same. */
export function fakeTiming(start?: number, draw = 0): FakeTiming {
  const clock = new VirtualClock(start)
  return {
    clock,
    random: () => draw,
    now: clock.now,
    pass: (milliseconds) => clock.advance(milliseconds, () => setImmediate()),
    timers: () => clock.waiting,
  }
}
