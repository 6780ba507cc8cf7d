import type { Bench } from './bench.ts'
import { lineChart, type Series } from './chart.ts'
import { CoordinatedFleet } from './coordinated-fleet.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
/** With the default of `watchInterval`. */
const size = { pods: 1_000, secrets: 10 }
const watchInterval = 15 * second
/** After all pods are covered, and before the first of them reads everything again. */
const quiet = { from: 8 * minute, to: 46 * minute }
/** In which each pod reads everything again once. */
const whole = { from: 12 * minute, to: 12 * minute + hour }
/** What the chart shows after that. */
const rotatedAt = 75 * minute
const killedAt = 85 * minute
const restartedAt = 86 * minute
const chart = { from: 40 * minute, to: 95 * minute }

/**
 * The requests of quiet pods with ten secrets, each in an hour: those beside the hourly reading of everything, and all of them with
 * those of the coordinator. The floor is the same fleet without a coordinator.
 */
export const coordinatorRequests: Bench = {
  ids: ['coordinator-quiet-requests', 'coordinator-requests'],
  async run({ draw }) {
    const watched = await quietHour(watchInterval)
    const polled = await quietHour(undefined)
    await events(watched.fleet)
    await events(polled.fleet)
    draw('fleet-coordinator', comparison(watched.fleet, polled.fleet))
    return [
      {
        ...{ id: 'coordinator-quiet-requests', unit: 'a pod and hour' },
        ...{ samples: [watched.quiet], floor: [polled.quiet], target: { atMost: 0 } },
      },
      {
        ...{ id: 'coordinator-requests', unit: 'a pod and hour' },
        ...{ samples: [watched.whole], floor: [polled.whole], target: { ratioAtMost: 0.5 } },
      },
    ]
  },
}

/** @param interval between the looks of the coordinator; undefined without one */
async function quietHour(
  interval: number | undefined,
): Promise<{ fleet: CoordinatedFleet; quiet: number; whole: number }> {
  const fleet = new CoordinatedFleet({ ...size, ...(interval !== undefined && { watchInterval: interval }) })
  if (interval !== undefined) fleet.coordinator.start()
  const counts = new Map<number, { pods: number; all: number }>()
  for (const at of [quiet.from, whole.from, quiet.to, whole.to]) {
    await fleet.clock.runUntil(at)
    counts.set(at, { pods: fleet.podRequests, all: fleet.vault.requests })
  }
  const between = (kind: 'pods' | 'all', { from, to }: typeof quiet): number =>
    (((counts.get(to)?.[kind] ?? NaN) - (counts.get(from)?.[kind] ?? NaN)) * hour) / (to - from) / size.pods
  return { fleet, quiet: between('pods', quiet), whole: between('all', whole) }
}

/** A rotation, and a coordinator that is killed and comes back, if there is one. */
async function events({ clock, vault, coordinator }: CoordinatedFleet): Promise<void> {
  const isWatched = coordinator.sessions > 0
  await clock.runUntil(rotatedAt)
  vault.rotate(['secret-0'])
  await clock.runUntil(killedAt)
  if (isWatched) coordinator.kill()
  await clock.runUntil(restartedAt)
  if (isWatched) coordinator.start()
  await clock.runUntil(chart.to)
}

function comparison(watched: CoordinatedFleet, polled: CoordinatedFleet): string {
  const series = (name: string, fleet: CoordinatedFleet): Series => ({
    name,
    points: fleet.windows(chart.from, chart.to).map((count, index) => [index / 6, count]),
  })
  const at = (time: number): number => (time - chart.from) / minute
  return lineChart({
    title: `1,000 pods with ten secrets: one is rotated at ${at(rotatedAt)}, the coordinator is away from ${at(killedAt)} to ${at(restartedAt)}`,
    x: 'minutes',
    y: 'requests in 10 s',
    series: [series('polled every 2 minutes', polled), series('with a coordinator', watched)],
  })
}
