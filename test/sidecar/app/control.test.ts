import t from 'tap'
import { podWith } from '../support/pod.ts'

const second = 1_000
const minute = 60 * second
const three = ['db-user', 'db-password', 'api-key']
const wide = { bounds: { pollInterval: { min: 30_000, max: 3_600_000 } } }

void t.test('refresh', async (t) => {
  const pod = await podWith(t, three)
  pod.annotations = { ...pod.annotations, refresh: 'from before the start' }
  await pod.start()
  await pod.advance(3 * minute)
  pod.twin.asked.length = 0
  pod.annotations = { ...pod.annotations, refresh: '1' }
  await pod.advance(1.5 * second)
  t.equal(pod.twin.count('list'), 1, 'polls at once')
  for (const refresh of ['2', '3', '4', '5']) {
    pod.annotations = { ...pod.annotations, refresh }
    await pod.advance(2 * second)
  }
  t.equal(pod.twin.count('list'), 1, 'but no more than once in 10 s')
  await pod.advance(5 * second)
  t.equal(pod.twin.count('list'), 2)
  await pod.advance(60 * second)
  t.equal(pod.twin.count('list'), 2, 'once for all that were asked for meanwhile')
  pod.annotations = { ...pod.annotations, refresh: '' }
  await pod.advance(5 * second)
  t.equal(pod.twin.count('list'), 2, 'taking the annotation away asks for nothing')
  pod.twin.set('api-key', 'api-key-2')
  pod.annotations = { ...pod.annotations, refresh: 'now' }
  await pod.advance(2 * second)
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test('suspend', async (t) => {
  const pod = await podWith(t, three)
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  await pod.start()
  t.equal(Object.keys(pod.files()).length, 3, 'does not keep the first set from the pod')
  pod.twin.asked.length = 0
  pod.twin.set('api-key', 'api-key-2')
  await pod.advance(60 * minute)
  t.equal(pod.twin.asked.length, 0)
  t.match(pod.status(), { suspended: true })
  t.match(pod.sidecar?.metrics(), /sidecar_suspended 1/)
  pod.annotations = { ...pod.annotations, refresh: '1' }
  await pod.advance(minute)
  t.equal(pod.twin.asked.length, 0, 'nor does a refresh poll')
  t.match(pod.events('refresh').at(-1), { suspended: true })
  pod.annotations = { ...pod.annotations, suspend: '' }
  await pod.advance(11 * second)
  t.equal(pod.files()['api-key'], 'api-key-2', 'what is overdue comes soon')
  pod.twin.asked.length = 0
  await pod.advance(20 * minute)
  t.ok(pod.twin.count('list') >= 8)
})

void t.test('a poll that was asked for while polling was suspended comes when that ends', async (t) => {
  const pod = await podWith(t, three, { pollInterval: 6 * 60 * minute })
  await pod.start()
  await pod.advance(minute)
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  pod.twin.set('api-key', 'api-key-2')
  await pod.advance(minute)
  pod.annotations = { ...pod.annotations, refresh: '1' }
  await pod.advance(minute)
  t.equal(pod.files()['api-key'], 'api-key-1')
  pod.annotations = { ...pod.annotations, suspend: 'false' }
  await pod.advance(2 * second)
  t.equal(pod.files()['api-key'], 'api-key-2')
  pod.twin.asked.length = 0
  pod.annotations = { ...pod.annotations, 'poll-interval': '5h' }
  await pod.advance(60 * minute)
  t.strictSame(pod.twin.asked, [], 'once')
})

void t.test('suspend at the start, with an earlier set', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  pod.stop()
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  pod.twin.asked.length = 0
  await pod.start()
  await pod.advance(10 * minute)
  t.match(pod.status(), { ready: true, stale: true, suspended: true })
  t.equal(pod.twin.asked.length, 0)
})

void t.test('poll-interval', async (t) => {
  const pod = await podWith(t, three, wide)
  await pod.start()
  await pod.advance(5 * minute)
  const listsIn = async (time: number): Promise<number> => {
    pod.twin.asked.length = 0
    await pod.advance(time)
    return pod.twin.count('list')
  }
  pod.annotations = { ...pod.annotations, 'poll-interval': '30s' }
  t.ok(Math.abs((await listsIn(10 * minute)) - 20) <= 1)
  pod.annotations = { ...pod.annotations, 'poll-interval': '1s' }
  t.ok(Math.abs((await listsIn(10 * minute)) - 20) <= 1, 'no shorter than the bounds')
  t.match(pod.status(), { pollInterval: '30s' })
  pod.annotations = { ...pod.annotations, 'poll-interval': 'hourly' }
  t.ok(Math.abs((await listsIn(10 * minute)) - 20) <= 1, 'what is invalid changes nothing')
  t.match(pod.events('live').at(-2), { problem: /"hourly".*30s/ })
  pod.annotations = { ...pod.annotations, 'poll-interval': '50m' }
  await pod.advance(minute)
  t.ok((await listsIn(40 * minute)) <= 1)
  pod.annotations = { ...pod.annotations, 'poll-interval': '' }
  t.ok(Math.abs((await listsIn(20 * minute)) - 10) <= 1, 'the settings rule again')
})

void t.test('log-level', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(3 * minute)
  t.equal(pod.events('poll').length, 0)
  pod.annotations = { ...pod.annotations, 'log-level': 'debug' }
  await pod.advance(5 * minute)
  t.ok(pod.events('poll').length > 0)
})

void t.test('a wrong value is told once, not at every change of another annotation', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  const told = () => pod.events('live').filter(({ problem }) => /loud/.test(String(problem))).length
  pod.annotations = { ...pod.annotations, 'log-level': 'loud' }
  await pod.advance(2 * second)
  t.equal(told(), 1)
  for (const refresh of ['1', '2']) {
    pod.annotations = { ...pod.annotations, refresh }
    await pod.advance(2 * second)
  }
  t.equal(told(), 1)
  pod.annotations = { ...pod.annotations, 'log-level': '' }
  await pod.advance(2 * second)
  pod.annotations = { ...pod.annotations, 'log-level': 'loud' }
  await pod.advance(2 * second)
  t.equal(told(), 2, 'but again when it comes back')
})

void t.test('the role once', async (t) => {
  await t.test('ends when the set is there', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.fault = () => ({ kind: 'unavailable' })
    await pod.start('once')
    await pod.advance(minute)
    t.equal(pod.end, undefined)
    pod.twin.fault = () => undefined
    await pod.advance(minute)
    t.strictSame(pod.end, { code: 0 })
    t.equal(Object.keys(pod.files()).length, 3)
  })
  await t.test('takes an earlier set where the vault does not answer', async (t) => {
    const pod = await podWith(t, three)
    await pod.start('once')
    t.strictSame(pod.end, { code: 0 })
    pod.stop()
    pod.annotations = { ...pod.annotations, suspend: 'true' }
    pod.twin.fault = () => ({ kind: 'unavailable' })
    await pod.start('once')
    await pod.advance(second)
    t.strictSame(pod.end, { code: 0 })
  })
  await t.test('brings an earlier set up to date', async (t) => {
    const pod = await podWith(t, three)
    await pod.start('once')
    pod.stop()
    pod.twin.set('api-key', 'api-key-2')
    await pod.start('once')
    await pod.advance(second)
    t.strictSame(pod.end, { code: 0 })
    t.equal(pod.files()['api-key'], 'api-key-2')
  })
  await t.test('asks every vault before it ends, though an earlier set is there', async (t) => {
    const pod = await podWith(t, ['a', 'other:b'])
    await pod.start('once')
    pod.stop()
    const late = pod.twinOf('other')
    late.set('b', 'b-2')
    late.fault = () => {
      late.fault = () => undefined
      return { hang: 5 * second }
    }
    await pod.start('once')
    await pod.advance(second)
    t.equal(pod.end, undefined, 'not while one of them is still being asked')
    await pod.advance(10 * second)
    t.strictSame(pod.end, { code: 0 })
  })
  await t.test('leaves what the app is to be told to whoever serves', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(minute)
    pod.appListens = false
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(3 * minute)
    pod.stop()
    pod.appListens = true
    await pod.start()
    await pod.advance(minute)
    t.match(pod.told, [{ changed: [{ name: 'api-key' }] }])
    pod.stop()
    await pod.start()
    await pod.advance(10 * minute)
    t.equal(pod.told.length, 1)
  })
})

void t.test('whatever goes wrong in one look at the annotations, the next is taken', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(5 * minute)
  const annotations = { ...pod.annotations, refresh: '1' }
  let looks = 0
  Object.defineProperty(pod, 'annotations', {
    get: () => {
      if (looks++ === 0) throw new RangeError('unexpected')
      return annotations
    },
  })
  pod.twin.set('api-key', 'api-key-2')
  await pod.advance(3 * second)
  t.match(pod.events('defect'), [{ where: 'the heartbeat' }])
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test('several changes before the app could be told are told as one', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(5 * minute)
  pod.appListens = false
  pod.twin.set('api-key', 'api-key-2')
  await pod.advance(3 * minute)
  pod.twin.set('db-user', 'db-user-2')
  await pod.advance(3 * minute)
  pod.stop()
  pod.twin.set('db-password', 'db-password-2')
  await pod.start()
  pod.appListens = true
  await pod.advance(5 * minute)
  t.equal(pod.told.length, 1)
  t.strictSame(pod.told[0]?.changed.map(({ name }) => name).sort(), ['api-key', 'db-password', 'db-user'])
})

void t.test('a signal ends it at once: with 0 while it serves, with 1 before the first set', async (t) => {
  for (const [name, hang, expected] of [
    ['while it serves', false, { code: 0 }],
    ['while it waits for the vault', true, { code: 1, reason: /secret db-user/ }],
  ] as const) {
    // prettier-ignore
    await t.test(name, async (t) => {
      const pod = await podWith(t, three)
      if (hang) pod.twin.fault = () => ({ hang: 10 * second })
      await pod.start()
      const end = pod.sidecar?.run('run', AbortSignal.abort())
      t.match(await end, expected)
    })
  }
})
