import { setImmediate as turn } from 'node:timers/promises'

import t, { type Test } from 'tap'
import { Poller, type PollOutcome } from '../../sidecar/poller.ts'
import { VirtualClock } from './support/clock.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** A poller whose polls end when the test says so. */
function pollerOf(test: Test, situation: { interval: number; ready: boolean; suspended: boolean }) {
  const clock = new VirtualClock()
  const running: ((outcome: PollOutcome) => void)[] = []
  const begun: number[] = []
  const poll = async (): Promise<PollOutcome> => {
    begun.push(clock.elapsed())
    const { promise, resolve } = Promise.withResolvers<PollOutcome>()
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
  const end = async (outcome: PollOutcome = { failed: false }): Promise<void> => {
    await rest()
    running.shift()?.(outcome)
    await rest()
  }
  return { poller, begun, end, advance: (time: number) => clock.advance(time, rest) }
}

void t.test('a poll that is asked for while one goes on comes after it', async (t) => {
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

void t.test('many requests do not put off the poll that they ask for, nor later ones', async (t) => {
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

void t.test('a shorter interval brings forward a retry that the longer one put off', async (t) => {
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
