import type { Bench } from './bench.ts'
import { CoordinatedFleet, percentile } from './coordinated-fleet.ts'
import type { Measured } from './results.ts'

const second = 1_000
const minute = 60 * second
const fleet = { pods: 1_000, secrets: 10 }
/** As many as cover the time between two looks evenly. */
const rotations = 10
/** Hints refill one in each poll interval. */
const spacing = 2 * minute
const longestPoll = 132 * second

/**
 * From the write of one of ten secrets to the notification of the app, for a thousand pods in virtual time; the floor is the same
 * fleet without a coordinator.
 */
export const coordinatorLatency: Bench = {
  ids: ['coordinator-latency-p99-5s', 'coordinator-latency-p99-2s'],
  async run() {
    const floor = [await polled()]
    const row = async (id: string, watchInterval: number, atMost: number): Promise<Measured> => ({
      ...{ id, unit: 's', floor, target: { atMost } },
      samples: [await watched(watchInterval)],
    })
    return [
      await row('coordinator-latency-p99-5s', 5 * second, 8),
      await row('coordinator-latency-p99-2s', 2 * second, 5),
    ]
  },
}

async function polled(): Promise<number> {
  const polling = new CoordinatedFleet(fleet)
  await polling.pass(5 * minute)
  return percentile(await polling.rotate('secret-0', longestPoll), 0.99) / second
}

/** The 99th percentile over all pods and rotations, in seconds. */
async function watched(watchInterval: number): Promise<number> {
  const covered = await CoordinatedFleet.covered({ ...fleet, watchInterval })
  const latencies: number[] = []
  for (let rotation = 0; rotation < rotations; rotation++) {
    await covered.nextLook()
    await covered.pass(((rotation + 0.5) / rotations) * watchInterval)
    latencies.push(...(await covered.rotate(`secret-${rotation}`, 30 * second)))
    await covered.pass(spacing)
  }
  return (
    percentile(
      latencies.sort((one, other) => one - other),
      0.99,
    ) / second
  )
}
