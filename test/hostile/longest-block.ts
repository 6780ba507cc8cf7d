import { setImmediate as turn } from 'node:timers/promises'

/** Runs something and returns how long the event loop stood still at most meanwhile, in milliseconds. */
export async function longestBlock(run: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let running = true
  let last = performance.now()
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(look)
  }
  await turn()
  last = performance.now()
  setImmediate(look)
  await run()
  await turn()
  running = false
  return longest
}
