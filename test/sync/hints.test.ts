import t from 'tap'
import type { ServedObject } from '../../shared/coordination/reports.ts'
import { Hints } from '../../sync/hints.ts'
import { VirtualClock } from '../support/clock.ts'

const minute = 60_000
const idle = async (): Promise<void> => undefined
const password: ServedObject = {
  vault: 'https://my-kv.vault.azure.net',
  type: 'secret',
  name: 'password',
  version: 'v1',
}

/** The hints of a class with one object, and the delays of the polls that they ask for. */
function setUp() {
  const clock = new VirtualClock()
  const world = { served: [password] }
  const polls: number[] = []
  const hints = new Hints({
    served: () => world.served,
    interval: () => 2 * minute,
    poll: (delay) => void polls.push(delay),
    clock,
    random: () => 0.5,
  })
  const hint = (change: Partial<ServedObject> = {}, spreadMs = 1_000): void => {
    const { version, ...object } = { ...password, version: 'v2', ...change }
    hints.take({ name: 'change', changes: [{ ...object, version }], spreadMs })
  }
  return { clock, world, hints, hint, polls }
}

void t.test(
  'sync hints: a hint at an object of the class asks for a poll, spread over the time that it names',
  async (t) => {
    const { world, hints, hint, polls } = setUp()
    hint({ name: 'other' })
    hint({ vault: 'https://your-kv.vault.azure.net' })
    t.strictSame(polls, [])
    hint({}, 4_000)
    hint({}, 24 * 60 * minute)
    t.strictSame(polls, [2_000, minute], 'at most over one interval')
    world.served = [{ ...password, version: 'v2' }]
    hints.polled()
    t.equal(polls.length, 2, 'the version was read')
  },
)

void t.test('sync hints: a poll that reads another version is repeated as far as hints may cause polls', async (t) => {
  const { world, clock, hints, hint, polls } = setUp()
  hint()
  for (let count = 0; count < 5; count++) hints.polled()
  t.strictSame(polls, [500, 1_000, 2_000])
  await clock.advance(6 * minute, idle)
  polls.length = 0
  hints.polled()
  t.strictSame(polls, [], 'the rest is left to the interval')
  hint({ version: 'v3' })
  world.served = [{ ...password, version: 'v3' }]
  hints.polled()
  t.strictSame(polls, [500])
})

void t.test('sync hints: hints without end cause one poll in each interval', async (t) => {
  const { clock, hints, hint, polls } = setUp()
  for (let count = 0; count < 600; count++) {
    hint({ version: `v${count + 2}` })
    hints.polled()
    await clock.advance(1_000, idle)
  }
  t.ok(polls.length <= 3 + 5 + 1, `${polls.length} polls in ten minutes`)
})
