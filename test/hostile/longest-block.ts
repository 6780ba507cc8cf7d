import { openSync, readSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'

/** Waiting times of this thread, if the kernel counts them. {@link https://docs.kernel.org/scheduler/sched-stats.html} */
const schedule = openSchedule()
const buffer = Buffer.alloc(128)

function openSchedule(): number | undefined {
  try {
    return openSync('/proc/thread-self/schedstat', 'r')
  } catch {
    return undefined
  }
}

/** How long this thread was ready to run while others had the CPU, in milliseconds. */
function waited(): number {
  if (schedule === undefined) return 0
  const [, nanoseconds] = buffer.toString('latin1', 0, readSync(schedule, buffer, 0, buffer.length, 0)).split(' ')
  return Number(nanoseconds) / 1e6
}

/**
 * What this thread has computed so far, in milliseconds. The clock of a thread goes in steps of a tick (4 ms on many machines), so the
 * time of the wall is taken less what a busy machine did meanwhile.
 */
const computed = (): number => performance.now() - waited()

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

/**
 * The shortest of several longest blocks: the engine compiles and collects garbage in some of them.
 * @param enough no more are tried once one is this short
 */
export async function shortestBlock(run: () => Promise<unknown>, tries: number, enough = 0): Promise<number> {
  let best = Infinity
  for (let attempt = 0; attempt < tries && best > enough; attempt++) best = Math.min(best, await longestBlock(run))
  return best
}

/** How often a block that is too long is measured again, with its base. */
const mostRounds = 4

/** What a base takes, and blocks in comparison with it. */
export interface Comparison {
  /** The longest that the base has taken, in milliseconds. */
  base: () => number
  /** Returns the longest block of a run; if it is longer than `bound` of the base, both are measured again, since the machine may be slower now. */
  block: (run: () => Promise<unknown>) => Promise<number>
}

/**
 * @param measureBase returns the milliseconds that others are compared with
 * @param bound the milliseconds that a run may take, of what the base takes
 * @param tries see {@link shortestBlock}
 */
export async function compareBlocks(
  measureBase: () => Promise<number>,
  bound: (base: number) => number,
  tries: number,
): Promise<Comparison> {
  let base = await measureBase()
  return {
    base: () => base,
    async block(run) {
      let time = await shortestBlock(run, tries, bound(base))
      for (let round = 1; round < mostRounds && time > bound(base); round++) {
        base = Math.max(base, await measureBase())
        time = Math.min(time, await shortestBlock(run, tries, bound(base)))
      }
      return time
    },
  }
}
