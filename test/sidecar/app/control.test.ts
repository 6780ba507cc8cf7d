import t from 'tap'
import { podWith } from '../../support/sidecar-pod.ts'

const second = 1_000
const minute = 60 * second
const three = ['db-user', 'db-password', 'api-key']
const wide = { bounds: { pollInterval: { min: 30_000, max: 3_600_000 } } }

void t.test('live annotations: refresh causes one poll at once', async (t) => {
  const pod = await podWith(t, three)
  pod.annotations = { ...pod.annotations, refresh: 'from before the start' }
  await pod.start()
  await pod.advance(3 * minute)
  pod.vault.asked.length = 0
  pod.annotations = { ...pod.annotations, refresh: '1' }
  await pod.advance(1.5 * second)
  t.equal(pod.vault.count('list'), 1, 'polls at once')
  for (const refresh of ['2', '3', '4', '5']) {
    pod.annotations = { ...pod.annotations, refresh }
    await pod.advance(2 * second)
  }
  t.equal(pod.vault.count('list'), 1, 'but no more than once in 10 s')
  await pod.advance(5 * second)
  t.equal(pod.vault.count('list'), 2)
  await pod.advance(60 * second)
  t.equal(pod.vault.count('list'), 2, 'once for all that were asked for meanwhile')
  pod.annotations = { ...pod.annotations, refresh: '' }
  await pod.advance(5 * second)
  t.equal(pod.vault.count('list'), 2, 'taking the annotation away asks for nothing')
  pod.vault.set('api-key', 'api-key-2')
  pod.annotations = { ...pod.annotations, refresh: 'now' }
  await pod.advance(2 * second)
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test('live annotations: suspend stops polling, and its removal continues it', async (t) => {
  const pod = await podWith(t, three)
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  await pod.start()
  t.equal(Object.keys(pod.files()).length, 3, 'does not keep the first set from the pod')
  pod.vault.asked.length = 0
  pod.vault.set('api-key', 'api-key-2')
  await pod.advance(60 * minute)
  t.equal(pod.vault.asked.length, 0)
  t.match(pod.status(), { suspended: true })
  t.match(pod.sidecar?.metrics(), /sidecar_suspended 1/)
  pod.annotations = { ...pod.annotations, refresh: '1' }
  await pod.advance(minute)
  t.equal(pod.vault.asked.length, 0, 'nor does a refresh poll')
  t.match(pod.events('refresh').at(-1), { suspended: true })
  pod.annotations = { ...pod.annotations, suspend: '' }
  await pod.advance(11 * second)
  t.equal(pod.files()['api-key'], 'api-key-2', 'what is overdue comes soon')
  pod.vault.asked.length = 0
  await pod.advance(20 * minute)
  t.ok(pod.vault.count('list') >= 8)
})

void t.test('poller: a poll that is requested while polling is suspended comes when suspension ends', async (t) => {
  const pod = await podWith(t, three, { pollInterval: 6 * 60 * minute })
  await pod.start()
  await pod.advance(minute)
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  pod.vault.set('api-key', 'api-key-2')
  await pod.advance(minute)
  pod.annotations = { ...pod.annotations, refresh: '1' }
  await pod.advance(minute)
  t.equal(pod.files()['api-key'], 'api-key-1')
  pod.annotations = { ...pod.annotations, suspend: 'false' }
  await pod.advance(2 * second)
  t.equal(pod.files()['api-key'], 'api-key-2')
  pod.vault.asked.length = 0
  pod.annotations = { ...pod.annotations, 'poll-interval': '5h' }
  await pod.advance(60 * minute)
  t.strictSame(pod.vault.asked, [], 'once')
})

void t.test('live annotations: suspend at the start serves the set of a previous process', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  pod.stop()
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  pod.vault.asked.length = 0
  await pod.start()
  await pod.advance(10 * minute)
  t.match(pod.status(), { ready: true, stale: true, suspended: true })
  t.equal(pod.vault.asked.length, 0)
})

void t.test('live annotations: poll-interval changes when the next poll comes', async (t) => {
  const pod = await podWith(t, three, wide)
  await pod.start()
  await pod.advance(5 * minute)
  const listsIn = async (time: number): Promise<number> => {
    pod.vault.asked.length = 0
    await pod.advance(time)
    return pod.vault.count('list')
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

void t.test('live annotations: log-level changes what is logged', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(3 * minute)
  t.equal(pod.events('poll').length, 0)
  pod.annotations = { ...pod.annotations, 'log-level': 'debug' }
  await pod.advance(5 * minute)
  t.ok(pod.events('poll').length > 0)
})

void t.test(
  'live annotations: an invalid value is logged once, not at every change of another annotation',
  async (t) => {
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
  },
)

void t.test('role once: the sidecar ends after its first set', async (t) => {
  await t.test('role once: it ends when the set is written', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.fault = () => ({ kind: 'unavailable' })
    await pod.start('once')
    await pod.advance(minute)
    t.equal(pod.end, undefined)
    pod.vault.fault = () => undefined
    await pod.advance(minute)
    t.strictSame(pod.end, { code: 0 })
    t.equal(Object.keys(pod.files()).length, 3)
  })
  await t.test('role once: it uses an earlier set if the vault does not answer', async (t) => {
    const pod = await podWith(t, three)
    await pod.start('once')
    t.strictSame(pod.end, { code: 0 })
    pod.stop()
    pod.annotations = { ...pod.annotations, suspend: 'true' }
    pod.vault.fault = () => ({ kind: 'unavailable' })
    await pod.start('once')
    await pod.advance(second)
    t.strictSame(pod.end, { code: 0 })
  })
  await t.test('role once: it updates an earlier set', async (t) => {
    const pod = await podWith(t, three)
    await pod.start('once')
    pod.stop()
    pod.vault.set('api-key', 'api-key-2')
    await pod.start('once')
    await pod.advance(second)
    t.strictSame(pod.end, { code: 0 })
    t.equal(pod.files()['api-key'], 'api-key-2')
  })
  await t.test('role once: it requests every vault before it ends, even with an earlier set', async (t) => {
    const pod = await podWith(t, ['a', 'other:b'])
    await pod.start('once')
    pod.stop()
    const late = pod.vaultOf('other')
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
  await t.test('role once: the pending notification is left to the process that serves', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(minute)
    pod.appListens = false
    pod.vault.set('api-key', 'api-key-2')
    await pod.advance(3 * minute)
    pod.stop()
    pod.appListens = true
    await pod.start()
    await pod.advance(minute)
    t.match(pod.notifications, [{ changed: [{ name: 'api-key' }] }])
    pod.stop()
    await pod.start()
    await pod.advance(10 * minute)
    t.equal(pod.notifications.length, 1)
  })
})

void t.test('live annotations: a check that fails is followed by the next one', async (t) => {
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
  pod.vault.set('api-key', 'api-key-2')
  await pod.advance(3 * second)
  t.match(pod.events('defect'), [{ where: 'the heartbeat' }])
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test('notification: several changes before delivery become one', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(5 * minute)
  pod.appListens = false
  pod.vault.set('api-key', 'api-key-2')
  await pod.advance(3 * minute)
  pod.vault.set('db-user', 'db-user-2')
  await pod.advance(3 * minute)
  pod.stop()
  pod.vault.set('db-password', 'db-password-2')
  await pod.start()
  pod.appListens = true
  await pod.advance(5 * minute)
  t.equal(pod.notifications.length, 1)
  t.strictSame(pod.notifications[0]?.changed.map(({ name }) => name).sort(), ['api-key', 'db-password', 'db-user'])
})

void t.test('process: a signal ends it at once, with 0 while it serves and 1 before the first set', async (t) => {
  for (const [name, hang, expected] of [
    ['while it serves', false, { code: 0 }],
    ['while it waits for the vault', true, { code: 1, reason: { lines: [/secret db-user/], outcome: 'no-answer' } }],
  ] as const) {
    await t.test(`process: a signal ends it ${name}`, async (t) => {
      const pod = await podWith(t, three)
      if (hang) pod.vault.fault = () => ({ hang: 10 * second })
      await pod.start()
      const end = pod.sidecar?.run('run', AbortSignal.abort())
      t.match(await end, expected)
    })
  }
})
