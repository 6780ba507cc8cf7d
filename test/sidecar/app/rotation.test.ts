import t from 'tap'
import { podWith } from '../support/pod.ts'
import { objectOf } from '../support/settings.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

const three = ['db-user', 'db-password', 'api-key']

void t.test('the first set is there as soon as everything was read, and not before', async (t) => {
  const pod = await podWith(t, three)
  pod.twin.fault = ({ name }) => (name === 'api-key' ? { kind: 'unavailable' } : undefined)
  await pod.start()
  t.strictSame(pod.files(), {})
  t.match(pod.sidecar?.notReady(), /waiting for the first set/)
  pod.twin.fault = () => undefined
  await pod.advance(minute)
  t.strictSame(pod.files(), { 'db-user': 'db-user-1', 'db-password': 'db-password-1', 'api-key': 'api-key-1' })
  t.equal(pod.sidecar?.notReady(), undefined)
  t.strictSame(pod.told, [], 'nobody is told of a first set')
})

void t.test('a rotation is read, switched in and told; a quiet poll costs one request', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  pod.twin.asked.length = 0
  await pod.advance(4 * minute)
  t.strictSame(pod.twin.asked.map(({ operation }) => operation), ['list', 'list']) // prettier-ignore
  const set = pod.set

  pod.twin.set('db-password', 'db-password-2')
  pod.twin.asked.length = 0
  await pod.advance(2 * minute)
  t.match(pod.files(), { 'db-password': 'db-password-2', 'db-user': 'db-user-1' })
  t.strictSame(pod.twin.asked.map(({ operation, name }) => name ?? operation), ['list', 'db-password', 'list']) // prettier-ignore
  t.not(pod.set, set)
  t.match(pod.told, [{ changed: [{ type: 'secret', name: 'db-password', paths: ['db-password'] }] }])

  await pod.advance(30 * minute)
  t.equal(pod.told.length, 1, 'no change, no signal')
  pod.stop()
  await pod.start()
  await pod.advance(10 * minute)
  t.equal(pod.told.length, 1, 'nor after a restart')
})

void t.test('pods that start together do not poll together', async (t) => {
  for (const draw of [0.1, 0.9]) {
    const pod = await podWith(t, three)
    await pod.start()
    pod.twin.asked.length = 0
    pod.random = () => draw
    pod.stop()
    await pod.start()
    pod.twin.asked.length = 0
    await pod.advance(2 * minute * draw - second)
    t.strictSame(pod.twin.asked, [])
    await pod.advance(2 * second)
    t.equal(pod.twin.asked.length, 1, `the first wait is ${draw} of the interval`)
    pod.twin.asked.length = 0
    await pod.advance(2 * minute * (0.9 + 0.2 * draw) - 2 * second)
    t.strictSame(pod.twin.asked, [], 'those after it are all of it, 10% more or less')
    await pod.advance(2 * second)
    t.equal(pod.twin.asked.length, 1)
  }
})

void t.test('values that are rotated together are switched in together', async (t) => {
  for (const moment of [1, 2, 3, 4]) {
    await t.test(`when the rotation falls on request ${moment} of the poll`, async (t) => {
      const pod = await podWith(t, ['db-user', 'db-password', 'other'])
      await pod.start()
      await pod.advance(10 * minute)
      pod.twin.set('other', 'other-2')
      let left = moment
      pod.twin.before = () => {
        if (--left !== 0) return
        pod.twin.set('db-user', 'db-user-2')
        pod.twin.set('db-password', 'db-password-2')
      }
      await pod.advance(2.5 * minute)
      const { 'db-user': user, 'db-password': password } = pod.files()
      t.ok((user === 'db-user-1') === (password === 'db-password-1'), `${user} and ${password}`)
      await pod.advance(2.5 * minute)
      t.match(pod.files(), { 'db-user': 'db-user-2', 'db-password': 'db-password-2', other: 'other-2' })
    })
  }
})

void t.test('a vault that keeps changing does not keep the new values from the pod for ever', async (t) => {
  const pod = await podWith(t, ['a', 'b'])
  await pod.start()
  await pod.advance(10 * minute)
  let count = 1
  pod.twin.before = ({ operation }) => {
    if (operation === 'get') pod.twin.set('a', `a-${++count}`)
  }
  pod.twin.set('a', 'a-start')
  await pod.advance(2.5 * minute)
  t.match(pod.files(), { a: /^a-\d+$/ })
  t.equal(pod.events('unsettled').length, 1, 'it says so')
  pod.twin.before = () => undefined
  await pod.advance(2.5 * minute)
  t.equal(pod.files()['a'], `a-${count}`)
})

void t.test('a second write in the second of the first one', async (t) => {
  await t.test('while the poll that found the first goes on', async (t) => {
    const pod = await podWith(t, ['a', 'b'])
    await pod.start()
    await pod.advance(10 * minute)
    pod.twin.before = ({ operation }) => {
      if (operation === 'list') pod.twin.set('a', pod.twin.value('a') === 'a-1' ? 'a-2' : 'a-3')
    }
    for (let step = 0; pod.files()['a'] === 'a-1' && step < 180; step++) await pod.advance(second)
    t.equal(pod.files()['a'], 'a-3', 'the confirmation does not believe the list')
  })
  await t.test('after that poll', async (t) => {
    const pod = await podWith(t, ['a', 'b'])
    await pod.start()
    await pod.advance(10 * minute)
    pod.twin.before = ({ operation }) => {
      if (operation === 'list' && pod.twin.value('a') === 'a-1') pod.twin.set('a', 'a-2')
    }
    while (pod.files()['a'] === 'a-1') await pod.advance(100)
    const updated = Math.floor(pod.clock.now() / 1000)
    pod.twin.set('a', 'a-3', { updated, created: updated })
    await pod.advance(2.5 * minute)
    t.equal(pod.files()['a'], 'a-3', 'the next poll does not believe the list')
    pod.twin.asked.length = 0
    await pod.advance(4 * minute)
    t.equal(pod.twin.count('get'), 0, 'from then on it does')
  })
})

void t.test('a list that lags behind a read takes nothing back', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(10 * minute)
  pod.twin.lag = 30 * second
  pod.twin.set('api-key', 'api-key-2')
  const seen: (string | undefined)[] = []
  for (let step = 0; step < 60; step++) {
    await pod.advance(10 * second)
    seen.push(pod.files()['api-key'])
  }
  t.strictSame([...new Set(seen)], ['api-key-1', 'api-key-2'])
  t.ok(seen.indexOf('api-key-2') <= 27, 'and is behind by no more than an interval')
  t.equal(pod.told.length, 1)
})

void t.test('a recovery that moves the time of change backwards is a change', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(10 * minute)
  pod.twin.set('api-key', 'api-key-0', { updated: 1_000, created: 1_000 })
  await pod.advance(2.5 * minute)
  t.equal(pod.files()['api-key'], 'api-key-0')
})

void t.test('a change of attributes alone switches nothing', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(10 * minute)
  const { set } = pod
  pod.twin.update('api-key', { expires: 4_000_000_000 })
  await pod.advance(2.5 * minute)
  t.equal(pod.set, set)
  t.strictSame(pod.told, [])
  t.match(pod.status().objects[2], { expires: '2096-10-02T07:06:40.000Z' })
})

void t.test('what lists cost, and what they save', async (t) => {
  await t.test('a refused list is not tried for an hour, and is neither an error nor a warning', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.mayList = false
    await pod.start()
    await pod.advance(50 * minute)
    t.equal(pod.twin.count('list'), 1)
    t.equal(pod.twin.count('get'), 3 + 3 * Math.floor(50 / 2), 'one read for each object instead')
    t.strictSame(pod.lines.filter(({ level }) => level === 'warn' || level === 'error'), []) // prettier-ignore
    pod.twin.set('api-key', 'api-key-2')
    pod.twin.asked.length = 0
    while (pod.files()['api-key'] === 'api-key-1') await pod.advance(second)
    t.equal(pod.twin.count('get'), 3, 'and nothing is confirmed')
    pod.twin.mayList = true
    await pod.advance(20 * minute)
    t.ok(pod.twin.count('list') > 0, 'an hour later it is')
  })
  await t.test('a list of more pages than there are objects is not asked for again', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.others = 1000
    await pod.start()
    await pod.advance(30 * minute)
    t.equal(pod.twin.count('list'), 1)
  })
  await t.test('nor one that always differs from what is read', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.twin.listed = ({ created: _, ...attributes }) => attributes
    pod.twin.asked.length = 0
    await pod.advance(30 * minute)
    t.equal(pod.twin.count('list'), 1)
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(3 * minute)
    t.equal(pod.files()['api-key'], 'api-key-2')
  })
  await t.test('25 objects of a vault cost one request', async (t) => {
    const pod = await podWith(
      t,
      Array.from({ length: 25 }, (_, index) => `s${index}`),
    )
    await pod.start()
    await pod.advance(3 * minute)
    pod.twin.asked.length = 0
    await pod.advance(20 * minute)
    t.equal(pod.twin.asked.length, 10)
  })
})

void t.test('everything is read again within the full refresh, whatever lists say', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(3 * minute)
  pod.twin.asked.length = 0
  pod.twin.lag = hour
  pod.twin.set('api-key', 'api-key-2')
  await pod.advance(30 * minute)
  t.equal(pod.files()['api-key'], 'api-key-1')
  t.equal(pod.twin.count('get'), 0)
  await pod.advance(30 * minute)
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test('sidecars that restart together do not read everything again together', async (t) => {
  for (const draw of [0.25, 0.75]) {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(3 * minute)
    pod.stop()
    pod.random = () => draw
    await pod.start()
    pod.twin.asked.length = 0
    await pod.advance(draw * hour - 3 * minute)
    t.equal(pod.twin.count('get'), 0)
    await pod.advance(6 * minute)
    t.equal(pod.twin.count('get'), 3, `at a moment of its own, ${draw} of the hour`)
  }
})

void t.test('pinned objects are read once by each process, a later one at its first full refresh', async (t) => {
  const pod = await podWith(t, ['other'])
  pod.settings.objects.push(objectOf(`old@${pod.twin.set('old', 'pinned')}`))
  pod.twin.set('old', 'newer')
  for (const process of [1, 2]) {
    await pod.start()
    await pod.advance(0.5 * hour - 3 * minute)
    t.equal(pod.twin.asked.filter(({ name }) => name === 'old').length, 1, 'a later one believes the volume first')
    await pod.advance(3 * hour)
    t.equal(pod.twin.asked.filter(({ name }) => name === 'old').length, process)
    t.equal(pod.files()['old'], 'pinned')
    pod.stop()
  }
})

void t.test('files that are made from one object are made from one read', async (t) => {
  const pod = await podWith(t, ['a', objectOf('a', { path: 'copy/a' }), objectOf('A', { path: 'upper' })])
  pod.twin.set('a', 'a-2')
  await pod.start()
  t.equal(pod.twin.count('get'), 1)
  t.strictSame(pod.files(), { a: 'a-2', 'copy/a': 'a-2', upper: 'a-2' })
})

void t.test('a history is read through the list of versions, each value once', async (t) => {
  const pod = await podWith(t, [objectOf('a', { history: 3 }), 'b'])
  await pod.start()
  await pod.advance(minute)
  t.strictSame(pod.files(), { 'a/0': 'a-1', b: 'b-1' })
  for (const value of ['a-2', 'a-3', 'a-4']) {
    pod.twin.set('a', value)
    await pod.advance(5 * minute)
  }
  t.strictSame(pod.files(), { 'a/0': 'a-4', 'a/1': 'a-3', 'a/2': 'a-2', b: 'b-1' })
  t.equal(pod.twin.asked.filter(({ operation, name }) => operation === 'get' && name === 'a').length, 4)
  const set = pod.set
  pod.twin.update('a', { expires: 4_000_000_000 })
  await pod.advance(5 * minute)
  t.equal(
    pod.status().objects[0]?.expires,
    new Date(4e12).toISOString(),
    'attributes follow without a value being read',
  )
  t.equal(pod.set, set)
  pod.twin.update('a', { enabled: false })
  await pod.advance(5 * minute)
  t.strictSame(pod.files(), { 'a/0': 'a-3', 'a/1': 'a-2', 'a/2': 'a-1', b: 'b-1' }, 'disabled versions are skipped')
  pod.stop()
  pod.twin.asked.length = 0
  await pod.start()
  await pod.advance(5 * minute)
  t.equal(pod.twin.asked.filter(({ operation, name }) => operation === 'get' && name === 'a').length, 0, 'a restart reads no value again') // prettier-ignore
})
