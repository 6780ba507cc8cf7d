import { setImmediate as turn } from 'node:timers/promises'

import t, { type Test } from 'tap'
import { Poller, type PollEnd } from '../../../sidecar/poll/poller.ts'
import { VirtualClock } from '../../support/clock.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** A poller whose polls end when the test says so. */
function pollerOf(test: Test, situation: { interval: number; ready: boolean; suspended: boolean }) {
  const clock = new VirtualClock()
  const running: ((outcome: PollEnd) => void)[] = []
  const begun: number[] = []
  const poll = async (): Promise<PollEnd> => {
    begun.push(clock.elapsed())
    const { promise, resolve } = Promise.withResolvers<PollEnd>()
    running.push(resolve)
    return promise
  }
  const poller = new Poller({ poll, situation: () => situation, retrying: () => undefined, clock, random: () => 0.5 })
  const stop = new AbortController()
  test.teardown(() => stop.abort())
  void poller.run(stop.signal)
  const rest = async (): Promise<void> => {
    for (let turns = 0; turns < 5; turns++) await turn()
  }
  const end = async (outcome: PollEnd = { failed: false }): Promise<void> => {
    await rest()
    running.shift()?.(outcome)
    await rest()
  }
  return { poller, begun, end, advance: (time: number) => clock.advance(time, rest) }
}

void t.test('poller: a poll that is requested during another follows it', async (t) => {
  const { poller, begun, end, advance } = pollerOf(t, { interval: hour, ready: true, suspended: false })
  await advance(5 * second)
  poller.refresh()
  await advance(second)
  t.strictSame(begun, [0], 'they are not side by side')
  await end()
  t.strictSame(begun, [0, 6 * second])
  await end()
  await advance(20 * minute)
  t.equal(begun.length, 2, 'once')

  poller.refresh()
  await advance(0)
  t.equal(begun.length, 3)
  await advance(11 * second)
  poller.refresh()
  await end({ failed: true, retryAfter: minute })
  await advance(59 * second)
  t.equal(begun.length, 3, 'nor sooner than the vault asks for')
  await advance(2 * second)
  t.equal(begun.length, 4)
})

void t.test('poller: many requests delay neither the requested poll nor later ones', async (t) => {
  const { poller, begun, end, advance } = pollerOf(t, { interval: 24 * hour, ready: true, suspended: false })
  await end()
  for (let count = 0; count < 60; count++) {
    poller.refresh()
    await advance(second)
    await end()
  }
  t.strictSame(
    begun,
    [0, 0, 10, 20, 30, 40, 50, 60].map((at) => at * second),
  )
  await advance(second)
  poller.refresh()
  await advance(10 * second)
  t.equal(begun.at(-1), 70 * second)
})

void t.test('poller: a shorter interval brings a postponed retry forward', async (t) => {
  const situation = { interval: 24 * hour, ready: true, suspended: false }
  const { poller, begun, end, advance } = pollerOf(t, situation)
  for (let failures = 1; failures <= 18; failures++) {
    await end({ failed: true })
    await advance(Math.ceil(poller.dueAt - (begun.at(-1) ?? 0)))
    t.equal(begun.length, failures + 1)
  }
  await end({ failed: true })
  const last = begun.length
  situation.interval = 30 * second
  poller.reschedule()
  await advance(minute)
  t.equal(begun.length, last + 1)

  await end({ failed: true, retryAfter: 10 * minute })
  poller.reschedule()
  await advance(9 * minute)
  t.equal(begun.length, last + 1, 'but not before the time that the vault asks for')
})

void t.test('poller: only consecutive failures count', async (t) => {
  const { poller, end, advance } = pollerOf(t, { interval: hour, ready: true, suspended: false })
  await end({ failed: true })
  await advance(minute)
  await end({ failed: true })
  t.equal(poller.failures, 2)
  await advance(minute)
  await end()
  t.equal(poller.failures, 0)
})

void t.test('poller: the poll after the first success comes at any time of the interval', async (t) => {
  const { poller, end, advance, begun } = pollerOf(t, { interval: hour, ready: true, suspended: false })
  await end({ failed: true })
  await advance(minute)
  await end()
  t.equal(
    poller.dueAt,
    (begun.at(-1) ?? 0) + hour / 2 + (minute - (begun.at(-1) ?? 0)),
    'although another failed before',
  )
  await advance(hour)
  const before = poller.dueAt
  await end()
  t.ok(poller.dueAt - before >= 0.9 * hour, 'later ones keep to it')
})

void t.test('poller: a pod that waits for its first set is polled although it is suspended', async (t) => {
  const situation = { interval: hour, ready: false, suspended: true }
  const { begun, end, advance } = pollerOf(t, situation)
  await end({ failed: true })
  await advance(minute)
  t.equal(begun.length, 2)
  situation.ready = true
  await end()
  await advance(24 * hour)
  t.equal(begun.length, 2)
})

void t.test('poller: a request waits for no longer than 15 minutes, whatever the vault asked for', async (t) => {
  const { poller, begun, end, advance } = pollerOf(t, { interval: 24 * hour, ready: true, suspended: false })
  await end({ failed: false, retryAfter: 10 * hour })
  poller.refresh()
  await advance(15 * minute + second)
  t.equal(begun.length, 2)
})
