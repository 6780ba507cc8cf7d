import t from 'tap'
import type { SyncPoll } from '../../sync/class-sync.ts'
import { createController } from '../../sync/controller.ts'
import { createTurns } from '../../sync/turns.ts'
import type { RequestingClass } from '../../sync/watch.ts'
import type { ServedObject } from '../../shared/coordination/reports.ts'
import { settled, VirtualClock } from '../support/clock.ts'

const classOf = (namespace: string, name: string, version = '1', uid = `${namespace}-${name}`): RequestingClass => ({
  ...{ namespace, name, uid, resourceVersion: version },
})

/** A controller whose classes and polls a test decides about. */
function setUp(t: { teardown: (end: () => unknown) => unknown }) {
  const clock = new VirtualClock()
  const abort = new AbortController()
  const polls: string[] = []
  const closed: string[] = []
  const world = {
    classes: [] as RequestingClass[],
    served: [] as ServedObject[],
    servedBy: {} as Record<string, ServedObject[]>,
    may: true,
    poll: async (): Promise<Partial<SyncPoll>> => ({}),
  }
  let busy = 0
  const controller = createController({
    watched: { classes: () => world.classes },
    createSync: ({ uid }) => ({
      async poll() {
        polls.push(uid)
        busy++
        const poll = await world.poll().finally(() => busy--)
        return { messages: [], writes: [], result: 'success', interval: 60_000, ...poll }
      },
      served: () => world.servedBy[uid] ?? world.served,
      close: () => void closed.push(uid),
    }),
    polled: async () => undefined,
    mayPoll: () => world.may,
    ...{ clock, abort: abort.signal, random: () => 0.5 },
  })
  const running = controller.run()
  const end = async (): Promise<void> => {
    abort.abort()
    await running
  }
  t.teardown(end)
  const pass = (milliseconds: number) =>
    clock.advance(milliseconds, () => settled(() => busy === 0 && clock.waiting > 0))
  return { world, controller, polls, closed, pass, end }
}

void t.test('sync controller: every class is polled at once and then at its interval', async (t) => {
  const { world, polls, pass } = setUp(t)
  world.classes = [classOf('a', 'x'), classOf('b', 'y')]
  await pass(1_000)
  t.strictSame(polls.toSorted(), ['a-x', 'b-y'])
  await pass(58_000)
  t.equal(polls.length, 2)
  await pass(3_000)
  t.equal(polls.length, 4)
})

void t.test('sync controller: nothing is polled before the policies refuse what they must', async (t) => {
  const { world, polls, pass } = setUp(t)
  world.may = false
  world.classes = [classOf('a', 'x')]
  await pass(30_000)
  t.strictSame(polls, [])
  world.may = true
  await pass(1_000)
  t.strictSame(polls, ['a-x'])
})

void t.test(
  'sync controller: a changed class is polled soon, but one that always changes not more often than every 5 s',
  async (t) => {
    const { world, polls, pass } = setUp(t)
    for (let version = 0; version < 60; version++) {
      world.classes = [classOf('a', 'x', String(version))]
      await pass(500)
    }
    t.ok(polls.length >= 5 && polls.length <= 7, `${polls.length} polls in 30 s`)
  },
)

void t.test(
  'sync controller: a class that is gone, or whose namespace is, is closed; a recreated one is another',
  async (t) => {
    const { world, polls, closed, pass } = setUp(t)
    world.classes = [classOf('a', 'x', '1', 'first')]
    await pass(1_000)
    world.classes = [classOf('a', 'x', '2', 'second')]
    await pass(1_000)
    t.strictSame(polls, ['first', 'second'])
    t.strictSame(closed, ['first'])
    world.classes = []
    await pass(120_000)
    t.strictSame(closed, ['first', 'second'])
    t.equal(polls.length, 2)
  },
)

void t.test(
  'sync controller: failures back off, refusals are tried every 30 s, and Retry-After is obeyed',
  async (t) => {
    const { world, polls, pass } = setUp(t)
    world.classes = [classOf('a', 'x')]
    world.poll = async () => ({ result: 'refused', interval: 600_000 })
    await pass(300_000)
    t.ok(polls.length >= 10 && polls.length <= 20, `${polls.length} polls in 5 min`)
    const failing = setUp(t)
    failing.world.classes = [classOf('a', 'x')]
    failing.world.poll = async () => ({ result: 'failed', retryAfter: 50_000 })
    await failing.pass(100_000)
    t.ok(failing.polls.length <= 2, `${failing.polls.length} polls in 100 s`)
  },
)

void t.test('sync controller: it ends after the polls that run', async (t) => {
  const { world, closed, pass, end } = setUp(t)
  world.classes = [classOf('a', 'x')]
  await pass(1_000)
  await end()
  t.strictSame(closed, ['a-x'])
})

void t.test(
  'sync turns: one task for each namespace and a few in total; a namespace that hangs delays no other',
  async (t) => {
    const turns = createTurns(2)
    const order: string[] = []
    const hanging = Promise.withResolvers<void>()
    const all = [
      turns('hostile', async () => {
        order.push('hostile 1')
        await hanging.promise
      }),
      turns('hostile', async () => void order.push('hostile 2')),
      turns('shop', async () => void order.push('shop 1')),
      turns('team', async () => void order.push('team 1')),
      turns('shop', async () => Promise.reject(new Error('a defect'))).catch(() => undefined),
      turns('shop', async () => void order.push('shop 3')),
    ]
    await settled(() => order.length === 4)
    t.strictSame(order, ['hostile 1', 'shop 1', 'team 1', 'shop 3'])
    hanging.resolve()
    await Promise.all(all)
    t.equal(order.at(-1), 'hostile 2')
  },
)

void t.test('sync controller: a hint has its class polled at once, also if it comes during a poll', async (t) => {
  const { world, controller, polls, pass } = setUp(t)
  const object = { vault: 'https://my-kv.vault.azure.net', type: 'secret', name: 'password' } as const
  const hint = (version: string): void =>
    controller.hint({ name: 'change', changes: [{ ...object, version }], spreadMs: 0 })
  world.classes = [classOf('a', 'x')]
  world.served = [{ ...object, version: 'v1' }]
  await pass(1_000)
  t.strictSame(controller.served(), world.served)
  hint('v2')
  world.served = [{ ...object, version: 'v2' }]
  await pass(1_000)
  t.equal(polls.length, 2)
  const { promise, resolve } = Promise.withResolvers<void>()
  world.poll = async () => {
    hint('v3')
    world.poll = async () => ({})
    await promise
    return {}
  }
  hint('v3')
  const passed = pass(500)
  resolve()
  await passed
  world.served = [{ ...object, version: 'v3' }]
  await pass(1_000)
  t.equal(polls.length, 4, 'the poll that was running may not have seen it')
  await pass(20_000)
  t.equal(polls.length, 4)
})

void t.test('sync controller: no namespace takes the places of the others in the session', async (t) => {
  const { world, controller, pass } = setUp(t)
  const objects = (vault: string, count: number): ServedObject[] =>
    Array.from({ length: count }, (_, index) => ({
      ...{ vault: `https://${vault}.vault.azure.net`, type: 'secret', name: `s${index}`, version: 'v' },
    }))
  world.classes = [classOf('greedy', 'x'), classOf('shop', 'x'), classOf('greedy', 'y')]
  world.servedBy = {
    'greedy-x': objects('greedy', 500),
    'greedy-y': objects('more', 500),
    'shop-x': objects('shop', 3),
  }
  await pass(1_000)
  const served = controller.served()
  t.equal(served.length, 500)
  t.equal(served.filter(({ vault }) => vault.includes('shop')).length, 3)
  t.equal(new Set(served.map(({ vault, name }) => vault + name)).size, 500, 'no object twice')
  world.servedBy['shop-x'] = objects('greedy', 3)
  t.equal(controller.served().length, 500, 'a shared object takes one place')
})
