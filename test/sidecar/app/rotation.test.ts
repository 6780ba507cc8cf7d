import t from 'tap'
import { podWith } from '../../support/sidecar-pod.ts'
import { objectOf } from '../../support/settings.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

const three = ['db-user', 'db-password', 'api-key']

void t.test('rotation: values that change together are switched together', async (t) => {
  for (const moment of [1, 2, 3, 4]) {
    await t.test(`rotation: the values stay consistent if they change at request ${moment} of the poll`, async (t) => {
      const pod = await podWith(t, ['db-user', 'db-password', 'other'])
      await pod.start()
      await pod.advance(10 * minute)
      pod.vault.set('other', 'other-2')
      let left = moment
      pod.vault.before = () => {
        if (--left !== 0) return
        pod.vault.set('db-user', 'db-user-2')
        pod.vault.set('db-password', 'db-password-2')
      }
      await pod.advance(2.5 * minute)
      const { 'db-user': user, 'db-password': password } = pod.files()
      t.ok((user === 'db-user-1') === (password === 'db-password-1'), `${user} and ${password}`)
      await pod.advance(2.5 * minute)
      t.match(pod.files(), { 'db-user': 'db-user-2', 'db-password': 'db-password-2', other: 'other-2' })
    })
  }
})

void t.test('rotation: a vault that keeps changing does not hold new values back forever', async (t) => {
  const pod = await podWith(t, ['a', 'b'])
  await pod.start()
  await pod.advance(10 * minute)
  let count = 1
  pod.vault.before = ({ operation }) => {
    if (operation === 'get') pod.vault.set('a', `a-${++count}`)
  }
  pod.vault.set('a', 'a-start')
  await pod.advance(2.5 * minute)
  t.match(pod.files(), { a: /^a-\d+$/ })
  t.equal(pod.events('unsettled').length, 1, 'it says so')
  pod.vault.before = () => undefined
  await pod.advance(2.5 * minute)
  t.equal(pod.files()['a'], `a-${count}`)
})

void t.test('rotation: a second write within the same second is found', async (t) => {
  await t.test('rotation: a second write during the poll that found the first is found', async (t) => {
    const pod = await podWith(t, ['a', 'b'])
    await pod.start()
    await pod.advance(10 * minute)
    pod.vault.before = ({ operation }) => {
      if (operation === 'list') pod.vault.set('a', pod.vault.value('a') === 'a-1' ? 'a-2' : 'a-3')
    }
    for (let step = 0; pod.files()['a'] === 'a-1' && step < 180; step++) await pod.advance(second)
    t.equal(pod.files()['a'], 'a-3', 'the confirmation does not believe the list')
  })
  await t.test('rotation: a second write after the poll that found the first is found', async (t) => {
    const pod = await podWith(t, ['a', 'b'])
    await pod.start()
    await pod.advance(10 * minute)
    pod.vault.before = ({ operation }) => {
      if (operation === 'list' && pod.vault.value('a') === 'a-1') pod.vault.set('a', 'a-2')
    }
    while (pod.files()['a'] === 'a-1') await pod.advance(100)
    const updated = Math.floor(pod.clock.now() / 1000)
    pod.vault.set('a', 'a-3', { updated, created: updated })
    await pod.advance(2.5 * minute)
    t.equal(pod.files()['a'], 'a-3', 'the next poll does not believe the list')
    pod.vault.asked.length = 0
    await pod.advance(4 * minute)
    t.equal(pod.vault.count('get'), 0, 'from then on it does')
  })
})

void t.test('rotation: a list that lags behind a read does not revert it', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(10 * minute)
  pod.vault.lag = 30 * second
  pod.vault.set('api-key', 'api-key-2')
  const seen: (string | undefined)[] = []
  for (let step = 0; step < 60; step++) {
    await pod.advance(10 * second)
    seen.push(pod.files()['api-key'])
  }
  t.strictSame([...new Set(seen)], ['api-key-1', 'api-key-2'])
  t.ok(seen.indexOf('api-key-2') <= 27, 'and is behind by no more than an interval')
  t.equal(pod.notifications.length, 1)
})

void t.test('rotation: a recovered object with an older time of change counts as changed', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(10 * minute)
  pod.vault.set('api-key', 'api-key-0', { updated: 1_000, created: 1_000 })
  await pod.advance(2.5 * minute)
  t.equal(pod.files()['api-key'], 'api-key-0')
})

void t.test('rotation: a change of attributes alone switches nothing', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(10 * minute)
  const { set } = pod
  pod.vault.update('api-key', { expires: 4_000_000_000 })
  await pod.advance(2.5 * minute)
  t.equal(pod.set, set)
  t.strictSame(pod.notifications, [])
  t.match(pod.status().objects[2], { expires: '2096-10-02T07:06:40.000Z' })
})

void t.test('rotation: lists are used only if they save requests', async (t) => {
  await t.test('lists: a refused list is not retried for an hour, and is neither an error nor a warning', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.mayList = false
    await pod.start()
    await pod.advance(50 * minute)
    t.equal(pod.vault.count('list'), 1)
    t.equal(pod.vault.count('get'), 3 + 3 * Math.floor(50 / 2), 'one read for each object instead')
    t.strictSame(
      pod.lines.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    )
    pod.vault.set('api-key', 'api-key-2')
    pod.vault.asked.length = 0
    while (pod.files()['api-key'] === 'api-key-1') await pod.advance(second)
    t.equal(pod.vault.count('get'), 3, 'and nothing is confirmed')
    pod.vault.mayList = true
    await pod.advance(20 * minute)
    t.ok(pod.vault.count('list') > 0, 'an hour later it is')
  })
  await t.test('lists: a list with more pages than objects is not requested again', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.others = 1000
    await pod.start()
    await pod.advance(30 * minute)
    t.equal(pod.vault.count('list'), 1)
  })
  await t.test('lists: a list that always differs from the objects is not requested again', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.vault.listed = ({ created: _, ...attributes }) => attributes
    pod.vault.asked.length = 0
    await pod.advance(30 * minute)
    t.equal(pod.vault.count('list'), 1)
    pod.vault.set('api-key', 'api-key-2')
    await pod.advance(3 * minute)
    t.equal(pod.files()['api-key'], 'api-key-2')
  })
  await t.test('lists: 25 objects of a vault cost one request', async (t) => {
    const pod = await podWith(
      t,
      Array.from({ length: 25 }, (_, index) => `s${index}`),
    )
    await pod.start()
    await pod.advance(3 * minute)
    pod.vault.asked.length = 0
    await pod.advance(20 * minute)
    t.equal(pod.vault.asked.length, 10)
  })
})

void t.test('rotation: everything is read again within the full refresh, whatever lists say', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(3 * minute)
  pod.vault.asked.length = 0
  pod.vault.lag = hour
  pod.vault.set('api-key', 'api-key-2')
  await pod.advance(30 * minute)
  t.equal(pod.files()['api-key'], 'api-key-1')
  t.equal(pod.vault.count('get'), 0)
  await pod.advance(30 * minute)
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test(
  'rotation: each process reads a pinned object once, a restarted one at its first full refresh',
  async (t) => {
    const pod = await podWith(t, ['other'])
    pod.settings.objects.push(objectOf(`old@${pod.vault.set('old', 'pinned')}`))
    pod.vault.set('old', 'newer')
    for (const process of [1, 2]) {
      await pod.start()
      await pod.advance(0.5 * hour - 3 * minute)
      t.equal(pod.vault.asked.filter(({ name }) => name === 'old').length, 1, 'a later one believes the volume first')
      await pod.advance(3 * hour)
      t.equal(pod.vault.asked.filter(({ name }) => name === 'old').length, process)
      t.equal(pod.files()['old'], 'pinned')
      pod.stop()
    }
  },
)

void t.test('rotation: all files of an object come from one read', async (t) => {
  const pod = await podWith(t, ['a', objectOf('a', { path: 'copy/a' }), objectOf('A', { path: 'upper' })])
  pod.vault.set('a', 'a-2')
  await pod.start()
  t.equal(pod.vault.count('get'), 1)
  t.strictSame(pod.files(), { a: 'a-2', 'copy/a': 'a-2', upper: 'a-2' })
})

void t.test('rotation: a history is read by the list of versions, each value once', async (t) => {
  const pod = await podWith(t, [objectOf('a', { history: 3 }), 'b'])
  await pod.start()
  await pod.advance(minute)
  t.strictSame(pod.files(), { 'a/0': 'a-1', b: 'b-1' })
  for (const value of ['a-2', 'a-3', 'a-4']) {
    pod.vault.set('a', value)
    await pod.advance(5 * minute)
  }
  t.strictSame(pod.files(), { 'a/0': 'a-4', 'a/1': 'a-3', 'a/2': 'a-2', b: 'b-1' })
  t.equal(pod.vault.asked.filter(({ operation, name }) => operation === 'get' && name === 'a').length, 4)
  const set = pod.set
  pod.vault.update('a', { expires: 4_000_000_000 })
  await pod.advance(5 * minute)
  t.equal(
    pod.status().objects[0]?.expires,
    new Date(4e12).toISOString(),
    'attributes follow without a value being read',
  )
  t.equal(pod.set, set)
  pod.vault.update('a', { enabled: false })
  await pod.advance(5 * minute)
  t.strictSame(pod.files(), { 'a/0': 'a-3', 'a/1': 'a-2', 'a/2': 'a-1', b: 'b-1' }, 'disabled versions are skipped')
  pod.stop()
  pod.vault.asked.length = 0
  await pod.start()
  await pod.advance(5 * minute)
  t.equal(
    pod.vault.asked.filter(({ operation, name }) => operation === 'get' && name === 'a').length,
    0,
    'a restart reads no value again',
  )
})
