import { setImmediate as turn } from 'node:timers/promises'

/** What this thread has computed so far, in milliseconds: what a busy machine does meanwhile is not in it. */
function computed(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Runs something and returns how long the event loop computed at most without a turn meanwhile, in milliseconds. */
export async function longestBlock(run: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let running = true
  let last = 0
  const look = () => {
    const now = computed()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(look)
  }
  await turn()
  last = computed()
  setImmediate(look)
  await run()
  await turn()
  running = false
  return longest
}
