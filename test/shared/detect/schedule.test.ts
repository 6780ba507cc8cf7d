import fc from 'fast-check'
import t from 'tap'
import { nextDelay, refreshDelay, refreshSpacingMs } from '../../../shared/detect/schedule.ts'
import { longestRetryAfterMs } from '../../../shared/vault/http-answer.ts'
import { refreshAfter } from '../../../shared/detect/read-plan.ts'

const minute = 60_000
const healthy = { interval: 2 * minute, ready: true, failures: 0 }

void t.test('schedule: the delay before the next poll depends on the outcome', async (t) => {
  const cases: [name: string, situation: Parameters<typeof nextDelay>[0], least: number, most: number][] = [
    ['a healthy vault: the interval, 10% more or less', healthy, 108_000, 132_000],
    ['a vault heard for the first time: any part of the interval', { ...healthy, first: true }, 0, 120_000],
    ['the first failure: within a second', { ...healthy, failures: 1, first: true }, 0, 1_000],
    ['then 2 s', { ...healthy, failures: 2 }, 0, 2_000],
    ['then 4 s', { ...healthy, failures: 3 }, 0, 4_000],
    ['a lasting outage: the interval in the mean', { ...healthy, failures: 50 }, 0, 4 * minute],
    [
      'a short interval: no more often than each 8 s in the mean',
      { interval: 1_000, ready: true, failures: 50 },
      0,
      16_000,
    ],
    ['a pod that waits: at most 16 s', { ...healthy, ready: false, failures: 50 }, 0, 16_000],
    ['a pod that waits for a role: at most 3 s', { ...healthy, ready: false, failures: 50, refused: true }, 0, 3_000],
    ['Retry-After is a floor', { ...healthy, failures: 1, retryAfter: 30_000 }, 30_000, 31_000],
    [
      'of 15 minutes at most',
      { ...healthy, failures: 1, retryAfter: 7_200_000 },
      longestRetryAfterMs,
      longestRetryAfterMs + 1_000,
    ],
    ['a thousand failures', { ...healthy, failures: 1000 }, 0, 4 * minute],
  ]
  for (const [name, situation, least, most] of cases) {
    t.equal(
      nextDelay(situation, () => 0),
      least,
      `${name}, at least`,
    )
    t.ok(Math.abs(nextDelay(situation, () => 1) - most) < 1, `${name}, at most`)
  }
})

void t.test('schedule: after any outcome, the delay is within its bounds', async (t) => {
  const situations = fc.record({
    interval: fc.integer({ min: 1, max: 86_400_000 }),
    ready: fc.boolean(),
    failures: fc.nat(),
    retryAfter: fc.nat(),
  })
  fc.assert(
    fc.property(situations, fc.double({ min: 0, max: 0.999999, noNaN: true }), (situation, draw) => {
      const delay = nextDelay(situation, () => draw)
      const floor =
        situation.failures > 0 ? Math.min(situation.retryAfter, longestRetryAfterMs) : 0.89 * situation.interval
      return delay >= floor && delay <= longestRetryAfterMs + Math.max(2 * situation.interval, 16_000)
    }),
  )
  t.pass()
})

void t.test('poller: a requested poll comes at once', async (t) => {
  t.equal(refreshDelay(100_000, undefined, 0), 0, 'at once')
  t.equal(refreshDelay(100_000, 100_000 - refreshSpacingMs, 0), 0, '10 s after the last request')
  t.equal(refreshDelay(100_000, 97_000, 0), 7_000, 'no closer to the last request than 10 s')
  t.equal(refreshDelay(100_000, undefined, 160_000), 60_000, 'not before the vault allows it')
})

void t.test('schedule: the full refresh is jittered and never late', async (t) => {
  t.equal(
    refreshAfter(1000, () => 0),
    800,
  )
  t.equal(
    refreshAfter(1000, () => 1),
    1000,
  )
})
