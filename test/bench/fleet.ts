import type { Bench } from './bench.ts'
import { lineChart, type Series } from './chart.ts'
import { FleetClock } from './fleet-clock.ts'
import { pollInStep } from './fleet-in-step.ts'
import { startFleet } from './fleet-pods.ts'
import { FleetVault, limit } from './fleet-vault.ts'
import type { Measured } from './results.ts'

const second = 1_000
const minute = 60 * second
const pods = 1000
const secrets = 10
const interval = 2 * minute
const end = 75 * minute
/** A period in which polls find nothing new. */
const quiet = { from: 5 * minute, to: 30 * minute }
/** In the middle of this period all secrets are rotated. */
const outage = { from: 30 * minute, to: 35 * minute }

/**
 * An hour and a quarter of a thousand pods with ten secrets of one vault, in virtual time: a start of all at once, quiet
 * polls, an outage, and the hourly reading of everything; beside it pods that ask in step.
 */
export const fleet: Bench = {
  ids: [
    'fleet-poll-requests',
    'fleet-poll-requests-no-list',
    'fleet-lists-refused',
    'fleet-peak-to-mean',
    'fleet-throttled',
    'fleet-ready',
    'fleet-recovery',
    'fleet-recovery-peak',
  ],
  async run({ draw }) {
    const ours = await live(true)
    const withoutList = await live(false)
    const inStep = await ticking()
    draw('fleet', comparison(ours.vault, withoutList.vault, inStep))
    draw('fleet-recovery', recovery(ours.vault, withoutList.vault))
    const runs = [ours, withoutList]
    return [
      { id: 'fleet-poll-requests', unit: 'requests', samples: [ours.perPoll], floor: [secrets], target: { atMost: 1 } },
      {
        id: 'fleet-poll-requests-no-list',
        unit: 'requests',
        samples: [withoutList.perPoll],
        floor: [secrets],
        target: { ratioAtMost: 1.05 },
      },
      { id: 'fleet-lists-refused', unit: 'an hour', samples: [withoutList.lists], target: { atMost: 1 } },
      {
        id: 'fleet-peak-to-mean',
        unit: 'x',
        samples: [peakToMean(ours.vault)],
        floor: [peakToMean(inStep)],
        target: { atMost: 4 },
      },
      {
        id: 'fleet-throttled',
        unit: 'requests',
        samples: [ours.vault.throttled],
        floor: [inStep.throttled],
        target: { ratioAtMost: 0.1 },
      },
      { id: 'fleet-ready', unit: 's', samples: runs.map(({ ready }) => ready), target: { atMost: 60 } },
      { id: 'fleet-recovery', unit: 's', samples: runs.map((run) => run.recovery), target: { atMost: 300 } },
      {
        id: 'fleet-recovery-peak',
        unit: 'requests/s',
        samples: [largest(ours.vault, outage.to, end)],
        floor: [limit.requests / (limit.window / second)],
        target: { ratioAtMost: 1 },
      },
    ] satisfies Measured[]
  },
}

const newClock = () => new FleetClock(Date.UTC(2026, 0, 1))

async function live(mayList: boolean) {
  const clock = newClock()
  const vault = new FleetVault({ clock, secrets, mayList })
  const all = startFleet({ pods, secrets, vault, clock })
  await clock.runUntil(quiet.from)
  const ready = Math.max(...all.map(({ readyAt = Infinity }) => readyAt)) / second
  const before = { polls: vault.polls, lists: vault.lists, requests: vault.requests }
  await clock.runUntil(quiet.to)
  const perPoll = (vault.requests - before.requests) / (vault.polls - before.polls)
  vault.isDown = true
  await clock.runUntil((outage.from + outage.to) / 2)
  vault.rotate()
  await clock.runUntil(outage.to)
  vault.isDown = false
  await clock.runUntil(quiet.from + 60 * minute)
  const lists = (vault.lists - before.lists) / pods
  await clock.runUntil(end)
  const last = Math.max(...all.map(({ switchedAt = Infinity }) => switchedAt))
  if (!Number.isFinite(ready) || last <= outage.to) throw new Error('a pod never got its secrets')
  return { vault, ready, perPoll, lists, recovery: (last - outage.to) / second }
}

async function ticking(): Promise<FleetVault> {
  const clock = newClock()
  const vault = new FleetVault({ clock, secrets, mayList: false })
  await pollInStep({ pods, secrets, interval, until: end }, vault, clock)
  return vault
}

/** Returns the requests in each second of a period. */
const between = ({ perSecond }: FleetVault, from: number, to: number): number[] =>
  Array.from({ length: (to - from) / second }, (_, index) => perSecond[from / second + index] ?? 0)

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
const largest = (vault: FleetVault, from: number, to: number) => Math.max(...between(vault, from, to))

function peakToMean(vault: FleetVault): number {
  const counts = between(vault, quiet.from, quiet.to)
  return Math.max(...counts) / (sum(counts) / counts.length)
}

/** Counts requests as the service does. */
function comparison(ours: FleetVault, withoutList: FleetVault, inStep: FleetVault): string {
  const series = (name: string, vault: FleetVault): Series => ({
    name,
    points: Array.from({ length: end / limit.window }, (_, index) => {
      const from = index * limit.window
      return [from / minute, sum(between(vault, from, from + limit.window))]
    }),
  })
  return lineChart({
    ...{
      title: '1,000 pods with ten secrets of one vault, polled every 2 minutes',
      x: 'minutes',
      y: 'requests in 10 s',
    },
    series: [
      series('one GET each, in step', inStep),
      series('no right to list', withoutList),
      series('as it is', ours),
    ],
    limit: { name: 'the vault throttles', y: limit.requests },
  })
}

function recovery(ours: FleetVault, withoutList: FleetVault): string {
  const from = outage.from - 10 * minute
  const to = outage.to + 15 * minute
  const series = (name: string, vault: FleetVault): Series => ({
    name,
    points: between(vault, from, to).map((count, index) => [index / 60, count]),
  })
  return lineChart({
    ...{
      title: 'The same pods: 5 minutes of outage from minute 10 on, all secrets rotated meanwhile',
      x: 'minutes',
      y: 'requests per second',
    },
    series: [series('no right to list', withoutList), series('as it is', ours)],
    limit: { name: 'the vault throttles', y: limit.requests / (limit.window / second) },
  })
}
