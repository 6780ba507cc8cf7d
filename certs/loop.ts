import type { WallClock } from '../shared/clock.ts'

export interface Loop {
  /** Starts the next pass now, or right after the running one. */
  wake(): void
  /** Resolves when the running pass, if any, is over; no other follows. */
  stop(): Promise<void>
}

/** Runs `pass` repeatedly. It resolves to the milliseconds to wait before the next pass, and must not reject. */
export function startLoop(pass: () => Promise<number>, clock: WallClock): Loop {
  let stopped = false
  let due = true
  let waiting = new AbortController()

  async function run(): Promise<void> {
    while (!stopped) {
      due = false
      waiting = new AbortController()
      const pause = await pass()
      if (!due && !stopped && pause > 0) await clock.wait(pause, waiting.signal)
    }
  }

  const running = run()
  return {
    wake() {
      due = true
      waiting.abort()
    },
    stop() {
      stopped = true
      waiting.abort()
      return running
    },
  }
}
