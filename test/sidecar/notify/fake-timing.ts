import { setImmediate } from 'node:timers/promises'
import type { Timing } from '../../../sidecar/notify/channel.ts'

export interface FakeTiming extends Timing {
  /** Lets that much time pass, timer by timer, and what they started come to rest. */
  pass: (milliseconds: number) => Promise<void>
  /** How many timers run. */
  timers: () => number
}

/** A clock that stands still until told otherwise, and chance that always draws the same. */
export function fakeTiming(start = Date.UTC(2030, 0, 1), draw = 0): FakeTiming {
  let time = start
  const timers = new Set<{ at: number; run: () => void }>()

  const earliest = (until: number) => [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]

  return {
    now: () => time,
    random: () => draw,
    setTimer(run, milliseconds) {
      const timer = { at: time + milliseconds, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async pass(milliseconds) {
      const until = time + milliseconds
      await setImmediate()
      for (let next = earliest(until); next !== undefined; next = earliest(until)) {
        timers.delete(next)
        time = next.at
        next.run()
        await setImmediate()
      }
      time = until
      await setImmediate()
    },
    timers: () => timers.size,
  }
}
