import type { Clock } from './clock.ts'

export interface Loop {
  /** The next pass begins now, or right after the one that is running. */
  wake(): void
  /** Resolves when the running pass, if any, is over; there is none after it. */
  stop(): Promise<void>
}

/** Runs `pass` again and again; it resolves to how many milliseconds to wait before the next one, and never rejects. */
export function repeat(pass: () => Promise<number>, clock: Clock): Loop {
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
