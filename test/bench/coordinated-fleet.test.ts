import t from 'tap'
import { CoordinatedFleet, percentile } from './coordinated-fleet.ts'

const second = 1_000
const minute = 60 * second
const pods = 1_000
const options = { pods, secrets: 2, watchInterval: 5 * second, heartbeatMs: 5 * second }
const pollInterval = 2 * minute
/** Polls are at most this far apart: the interval and its jitter. */
const longestPoll = 1.1 * pollInterval
const fullRefresh = 60 * minute
/** Sidecars poll again if the last look is older. */
const coverageAge = minute

void t.test(
  'fleet: a thousand covered pods are quiet, follow a rotation, and poll if the coordinator goes silent',
  async (t) => {
    const fleet = new CoordinatedFleet(options)
    fleet.coordinator.start()
    await fleet.until('all are covered', () => fleet.covered() === pods, 6 * minute)
    t.equal(fleet.coordinator.sessions, pods)

    const quiet = fleet.podRequests
    await fleet.pass(3 * minute)
    t.equal(fleet.podRequests - quiet, 0, 'covered pods send no request')

    const latencies = await fleet.rotate('secret-0', 10 * second)
    const p99 = percentile(latencies, 0.99)
    t.ok(p99 <= 8 * second, `all apps were notified, 99 % of them within ${p99} ms`)
    t.equal(fleet.podRequests - quiet, pods, 'a request each')
    t.equal(fleet.covered(), pods, 'they stay covered')

    await fleet.pass(30 * second)
    fleet.coordinator.silence()
    const after = await fleet.rotate('secret-1', coverageAge + longestPoll)
    t.ok(percentile(after, 0.01) > 30 * second, 'the loss is found out by the age of the last look')
    t.equal(fleet.covered(), 0)
  },
)

void t.test('fleet: a rotation just before a thousand pods are watched, and after the coordinator ended', async (t) => {
  const fleet = new CoordinatedFleet(options)
  await fleet.pass(minute)
  fleet.coordinator.start()
  // The first look finds a version that no earlier look can be compared with, and that pods have not read.
  let isWatched = false
  fleet.vault.onWatched = () => {
    if (!isWatched) fleet.vault.rotate(['secret-0'])
    isWatched = true
  }
  await fleet.until('the coordinator looks', () => isWatched, 40 * second)
  await fleet.until('all have what was written then', () => fleet.current('secret-0') === pods, 40 * second)

  await fleet.until('all are covered', () => fleet.covered() === pods, 6 * minute)
  await fleet.pass(10 * second)
  const { polls } = fleet.vault
  const killed = fleet.now
  fleet.coordinator.kill()
  await fleet.pass(longestPoll)
  t.equal(fleet.covered(), 0)
  t.ok(fleet.vault.polls - polls >= pods, 'as many polls as pods within one interval')
  const mean = (pods * 10 * second) / pollInterval
  const highest = fleet.highestWindow(killed, fleet.now)
  t.ok(highest <= 1.6 * mean, `at most ${highest} requests in 10 s; polls that never stopped have ${Math.round(mean)}`)
  await fleet.rotate('secret-1', longestPoll)
  t.equal(fleet.vault.throttled, 0)
})

void t.test('fleet: covered pods read every object as often as the full refresh says', async (t) => {
  const fleet = await CoordinatedFleet.covered({ pods: 20, secrets: 10, watchInterval: 15 * second })
  let oldest = 0
  for (let passed = 0; passed < 180; passed++) {
    await fleet.pass(minute)
    for (const { age = Infinity } of fleet.pods.flatMap(({ sidecar }) => sidecar.status().objects))
      oldest = Math.max(oldest, age * second)
  }
  t.ok(oldest <= fullRefresh + longestPoll, `at most after ${oldest / minute} minutes`)
})
