import type { Bench } from './bench.ts'
import { CoordinatedFleet, percentile } from './coordinated-fleet.ts'

const second = 1_000
const minute = 60 * second
/** Two secrets, so that the coordinator lists the vault rather than the versions of one. */
const fleet = { pods: 10_000, secrets: 2 }
const watchInterval = 5 * second
const longestPoll = 132 * second
const after = 5 * minute
/** When the look that began has its answer, so that the next one finds the change. */
const afterLook = 100

/**
 * Ten thousand pods in virtual time: a rotation right after a look, and the five minutes after the coordinator was killed. The floor
 * is the same fleet without a coordinator.
 */
export const coordinatorTenThousand: Bench = {
  ids: ['coordinator-latency-p99-10000', 'coordinator-hint-p99-10000', 'coordinator-lost-peak'],
  async run() {
    const polled = await polling()
    const peak = await killed()
    const { written, hinted } = await rotated()
    return [
      {
        ...{ id: 'coordinator-latency-p99-10000', unit: 's' },
        ...{ samples: [written], floor: [polled.written], target: { atMost: 40 } },
      },
      { id: 'coordinator-hint-p99-10000', unit: 's', samples: [hinted], target: { atMost: 30 } },
      {
        ...{ id: 'coordinator-lost-peak', unit: 'x' },
        ...{ samples: [peak / polled.mean], floor: [polled.peak / polled.mean], target: { atMost: 1.3 } },
      },
    ]
  },
}

async function polling(): Promise<{ mean: number; peak: number; written: number }> {
  const run = new CoordinatedFleet(fleet)
  await run.pass(5 * minute)
  const from = run.now
  await run.pass(after)
  const figures = { mean: run.meanWindow(from, run.now), peak: run.highestWindow(from, run.now) }
  return { ...figures, written: percentile(await run.rotate('secret-0', longestPoll), 0.99) / second }
}

/** The most requests in 10 s. */
async function killed(): Promise<number> {
  const run = await CoordinatedFleet.covered({ ...fleet, watchInterval })
  const from = run.now
  run.coordinator.kill()
  await run.pass(after)
  return run.highestWindow(from, run.now)
}

/** From the write and from the hint to the notification, in seconds. */
async function rotated(): Promise<{ written: number; hinted: number }> {
  const run = await CoordinatedFleet.covered({ ...fleet, watchInterval })
  await run.nextLook()
  await run.pass(afterLook)
  const from = run.now
  const written = percentile(await run.rotate('secret-0', minute), 0.99)
  const { hintedAt = NaN } = run.coordinator
  return { written: written / second, hinted: (written - (hintedAt - from)) / second }
}
