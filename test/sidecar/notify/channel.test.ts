import fc from 'fast-check'
import t from 'tap'
import { type Attempt, createChannel, retryDelay } from '../../../sidecar/notify/channel.ts'
import type { Notification } from '../../../sidecar/notify/notification.ts'
import { fakeTiming } from './fake-timing.ts'

const notification = (id: string): Notification => ({ id, switchedAt: 0, dueAt: 0, changed: [] })
const failed: Attempt = { outcome: 'http-error', detail: 'no' }
const delivered: Attempt = { outcome: 'delivered', detail: 'yes' }

function fixture(answers: (Attempt | Error | Promise<Attempt>)[]) {
  const timing = fakeTiming(0)
  const tries: { id: string; at: number; signal: AbortSignal }[] = []
  const results: string[] = []
  const channel = createChannel({
    ...timing,
    failure: 'http-error',
    attempt({ id }, signal) {
      tries.push({ id, at: timing.now(), signal })
      const answer = answers.shift() ?? delivered
      if (answer instanceof Error) throw answer
      return answer
    },
    onAttempt: ({ outcome, detail }, { id }, attempts) => results.push(`${id} ${attempts} ${outcome} ${detail}`),
  })
  return { timing, tries, results, channel }
}

void t.test('channel: the delay doubles from 0.25 s to 30 s', async (t) => {
  const delays = [1, 2, 3, 7, 8, 9, 1000].map((attempts) => retryDelay(attempts, false, () => 0))
  t.strictSame(delays, [250, 500, 1_000, 16_000, 30_000, 30_000, 30_000])
  t.strictSame(
    [1, 2, 3, 4, 1000].map((attempts) => retryDelay(attempts, true, () => 0)),
    [250, 500, 1_000, 1_000, 1_000],
  )
  const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.boolean(), draw, (attempts, soon, random) => {
      const most = retryDelay(attempts, soon, () => 0)
      const delay = retryDelay(attempts, soon, () => random)
      return delay <= most && delay > most * 0.75 - 1e-6
    }),
  )
})

void t.test('channel: it retries until delivered, and then stops', async (t) => {
  const { timing, tries, results, channel } = fixture([failed, new Error('odd'), failed])
  channel.start(notification('a'))
  await timing.pass(60_000)
  t.strictSame(
    tries.map(({ at }) => at),
    [0, 250, 750, 1_750],
  )
  t.strictSame(results, ['a 1 http-error no', 'a 2 http-error odd', 'a 3 http-error no', 'a 4 delivered yes'])
  t.equal(timing.timers(), 0)
})

void t.test('channel: it never gives up', async (t) => {
  const { timing, tries, channel } = fixture(Array.from({ length: 3_000 }, () => failed))
  channel.start(notification('a'))
  await timing.pass(24 * 3_600_000)
  t.ok(tries.length >= 2_880, `${tries.length} tries in a day`)
  channel.stop()
  t.equal(timing.timers(), 0)
})

void t.test('channel: a later notification replaces one that waits', async (t) => {
  const { timing, tries, channel } = fixture([failed, failed])
  channel.start(notification('a'))
  await timing.pass(100)
  channel.start(notification('b'))
  await timing.pass(60_000)
  t.strictSame(
    tries.map(({ id, at }) => [id, at]),
    [
      ['a', 0],
      ['b', 100],
      ['b', 350],
    ],
  )
})

void t.test('channel: the result of an attempt that was replaced does not count', async (t) => {
  const slow = Promise.withResolvers<Attempt>()
  const { timing, tries, results, channel } = fixture([slow.promise, failed])
  channel.start(notification('a'))
  await timing.pass(100)
  channel.start(notification('b'))
  t.ok(tries[0]?.signal.aborted)
  slow.resolve(delivered)
  await timing.pass(60_000)
  t.strictSame(results, ['b 1 http-error no', 'b 2 delivered yes'])
})

void t.test('channel: hurry brings a waiting attempt forward and does not disturb a running one', async (t) => {
  const slow = Promise.withResolvers<Attempt>()
  const { timing, tries, channel } = fixture([failed, slow.promise])
  channel.hurry()
  t.equal(tries.length, 0, 'nothing to try')
  channel.start(notification('a'))
  await timing.pass(10)
  channel.hurry()
  await timing.pass(0)
  t.strictSame(
    tries.map(({ at }) => at),
    [0, 10],
  )
  channel.hurry()
  await timing.pass(0)
  t.equal(tries.length, 2, 'not while one is under way')
  slow.resolve(failed)
  await timing.pass(60_000)
  t.strictSame(
    tries.map(({ at }) => at),
    [0, 10, 510],
  )
})

void t.test('channel: a stopped channel does nothing more', async (t) => {
  const { timing, tries, channel } = fixture([failed])
  channel.start(notification('a'))
  await timing.pass(0)
  channel.stop()
  channel.hurry()
  await timing.pass(60_000)
  t.equal(tries.length, 1)
  t.equal(timing.timers(), 0)
})
