import t from 'tap'
import { Poller } from '../../../sidecar/poll/poller.ts'
import { FleetClock } from '../../bench/fleet-clock.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const second = 1_000
const minute = 60 * second
const interval = 2 * minute
const pods = 10_000

void t.test('poller: a fleet that loses its coordinator polls evenly from the first polls on', async (t) => {
  const clock = new FleetClock(0)
  const abort = new AbortController()
  let coveredInterval: number | undefined = 60 * minute
  const polls: number[] = []
  const pollers = Array.from({ length: pods }, (_, pod) => {
    const poll = async () => {
      const window = Math.floor(clock.elapsed() / (10 * second))
      polls[window] = (polls[window] ?? 0) + 1
      return { failed: false }
    }
    const situation = () => ({ interval, coveredInterval, ready: true, suspended: false })
    return new Poller({ poll, situation, retrying: () => undefined, clock, random: seededRandom(pod) })
  })
  for (const poller of pollers) void poller.run(abort.signal)
  await clock.runUntil(5 * minute)
  coveredInterval = undefined
  for (const poller of pollers) poller.uncovered(false)
  await clock.runUntil(15 * minute)
  abort.abort()
  const windows = polls.slice(30, 90)
  const mean = (pods * 10 * second) / interval
  t.equal(windows.length, 60)
  t.ok(
    Math.max(...windows) < 1.15 * mean,
    `at most ${Math.max(...windows)} in 10 s, and ${Math.round(mean)} on average`,
  )
  t.ok(Math.min(...windows) > 0.85 * mean, `at least ${Math.min(...windows)}`)
})
