import t from 'tap'
import { podWith } from '../../support/sidecar-pod.ts'
import { objectOf } from '../../support/settings.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const three = ['db-user', 'db-password', 'api-key']

void t.test('failures: an object that fails keeps its last good value, and the others are updated', async (t) => {
  for (const kind of [
    'forbidden',
    'not-found',
    'gone',
    'disabled',
    'timeout',
    'malformed',
    'unavailable',
    'network',
    'pending',
    'bad-request',
  ] as const) {
    await t.test(`failures: an object keeps its last good value after ${kind}`, async (t) => {
      const pod = await podWith(t, three)
      await pod.start()
      await pod.advance(5 * minute)
      pod.vault.set('db-user', 'db-user-2')
      pod.vault.set('db-password', 'db-password-2')
      pod.vault.fault = ({ name }) => (name === 'db-user' ? { kind } : undefined)
      await pod.advance(5 * minute)
      t.match(pod.files(), { 'db-user': 'db-user-1', 'db-password': 'db-password-2', 'api-key': 'api-key-1' })
      t.match(pod.status().objects[0]?.problem, { kind, message: /db-user/ })
      t.match(pod.sidecar?.metrics(), /object_failing\{vault="my-kv",type="secret",name="db-user",path="db-user"\} 1/)
      t.equal(pod.events('object').length, 1, 'it is said once')
      t.equal(pod.notifications.length, 1)
      pod.vault.fault = () => undefined
      await pod.advance(5 * minute)
      t.match(pod.files(), { 'db-user': 'db-user-2' })
      t.equal(pod.status().objects[0]?.problem, undefined)
      t.match(pod.events('object').at(-1), { state: 'recovered' })
    })
  }
})

void t.test(
  'failures: what cannot be rendered stays so after the vault did not answer, and in a new process',
  async (t) => {
    const pod = await podWith(t, [objectOf('db', { property: 'password' }), 'other'])
    pod.vault.set('db', '{"password":"one"}')
    await pod.advance(minute)
    await pod.start()
    await pod.advance(5 * minute)
    pod.vault.set('db', 'not JSON')
    await pod.advance(5 * minute)
    t.match(pod.status().objects[0]?.problem, { kind: 'render' })
    pod.vault.fault = ({ name }) => (name === 'db' ? { kind: 'timeout' } : undefined)
    // The list shows no change, so that it is read again only at the full refresh.
    for (let minutes = 0; pod.status().objects[0]?.problem?.kind !== 'timeout' && minutes < 180; minutes++)
      await pod.advance(minute)
    t.match(pod.status().objects[0]?.problem, { kind: 'timeout' })
    // The record of what is in the volume is written with another change, in the meantime.
    pod.vault.set('other', 'other-2')
    await pod.advance(5 * minute)
    pod.vault.fault = () => undefined
    await pod.advance(5 * minute)
    t.match(pod.status().objects[0]?.problem, { kind: 'render' }, 'it has not recovered')
    pod.stop()
    await pod.start()
    await pod.advance(5 * minute)
    t.match(pod.status().objects[0]?.problem, { kind: 'render' }, 'a new process reads it again')
    t.match(pod.files(), { db: 'one', other: 'other-2' })
  },
)

void t.test('failures: a deleted object is retained or deleted, as requested', async (t) => {
  await t.test('failures: a deleted object is retained by default', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.vault.delete('api-key')
    await pod.advance(5 * minute)
    t.equal(pod.files()['api-key'], 'api-key-1')
  })
  await t.test('failures: a 404 for the only object counts as an answer of the vault', async (t) => {
    const pod = await podWith(t, ['a'])
    await pod.start()
    pod.stop()
    pod.vault.delete('a')
    await pod.start()
    await pod.advance(5 * minute)
    t.match(pod.status(), { ready: true, stale: false, objects: [{ problem: { kind: 'gone' } }] })
    const { lastPoll } = pod.status().vaults[0] ?? {}
    const answered = /last_answer_timestamp_seconds\{vault="my-kv"\} (\S+)/.exec(pod.sidecar?.metrics() ?? '')?.[1]
    t.equal(new Date(Number(answered) * 1000).toISOString(), lastPoll)
    t.notMatch(pod.sidecar?.metrics(), /last_success_timestamp_seconds/)
    pod.vault.fault = () => ({ kind: 'forbidden' })
    await pod.advance(5 * minute)
    t.match(pod.sidecar?.metrics(), `last_answer_timestamp_seconds{vault="my-kv"} ${answered}`, 'a refusal is none')
  })
  await t.test('failures: with on-delete: delete, a deleted object is removed, and comes back', async (t) => {
    const pod = await podWith(t, three, { onDelete: 'delete' })
    await pod.start()
    pod.vault.delete('api-key')
    await pod.advance(3 * minute)
    t.strictSame(Object.keys(pod.files()), ['db-password', 'db-user'])
    t.match(pod.notifications, [{ changed: [{ name: 'api-key', paths: ['api-key'] }] }])
    await pod.advance(10 * minute)
    t.equal(pod.notifications.length, 1)

    pod.stop()
    await pod.start()
    t.equal(pod.sidecar?.notReady(), undefined, 'the set without it is complete')
    await pod.advance(5 * minute)
    pod.vault.recover('api-key')
    await pod.advance(3 * minute)
    t.equal(pod.files()['api-key'], 'api-key-1')
    t.equal(pod.notifications.length, 2)
  })
  await t.test('failures: a history is deleted as a whole, even if the vault still lists its versions', async (t) => {
    const pod = await podWith(t, [objectOf('api-key', { history: 2 }), 'db-user'], { onDelete: 'delete' })
    await pod.start()
    await pod.advance(minute)
    t.strictSame(Object.keys(pod.files()), ['api-key/0', 'db-user'])
    pod.vault.delete('api-key')
    await pod.advance(3 * minute)
    t.strictSame(Object.keys(pod.files()), ['db-user'])
    t.match(pod.status().objects[0]?.problem, { kind: 'gone' })
  })
  await t.test('failures: another 404, or a list without the object, deletes nothing', async (t) => {
    const pod = await podWith(t, three, { onDelete: 'delete' })
    await pod.start()
    await pod.advance(5 * minute)
    pod.vault.fault = ({ name }) => (name === 'api-key' ? { kind: 'not-found' } : undefined)
    pod.vault.lag = Infinity
    await pod.advance(5 * minute)
    t.equal(Object.keys(pod.files()).length, 3)
  })
  await t.test('failures: a missing object holds the start back', async (t) => {
    const pod = await podWith(t, three, { onDelete: 'delete' })
    pod.vault.delete('api-key')
    await pod.start()
    await pod.advance(20 * second)
    t.match(pod.end, { code: 1, reason: /api-key: gone/ })
  })
})

void t.test('failures: a vault that fails gets no more requests than it tolerates', async (t) => {
  await t.test('failures: Retry-After is respected, up to 15 minutes', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(5 * minute)
    for (const [asks, waits] of [
      [3 * minute, 3 * minute],
      [5 * hour, 15 * minute],
    ] as const) {
      pod.vault.fault = () => ({ kind: 'throttled', retryAfter: asks })
      pod.vault.asked.length = 0
      while (pod.vault.asked.splice(0).length === 0) await pod.advance(10 * second)
      await pod.advance(waits - 20 * second)
      t.equal(pod.vault.asked.length, 0)
      pod.annotations = { ...pod.annotations, refresh: `${asks}` }
      await pod.advance(5 * second)
      t.equal(pod.vault.asked.length, 0, 'not even a request of the user moves that')
      pod.vault.fault = () => undefined
      await pod.advance(30 * second)
      t.ok(pod.vault.asked.length > 0)
    }
  })
  for (const answered of [0, 1, 7]) {
    await t.test(
      `failures: a vault that throttles after ${answered} answers gets no more requests in that poll`,
      async (t) => {
        const names = Array.from({ length: 40 }, (_, index) => `s${index}`)
        const pod = await podWith(t, names)
        let left = answered
        pod.vault.fault = () => (left-- > 0 ? undefined : { kind: 'throttled' })
        await pod.start()
        const { length } = pod.vault.asked
        t.ok(length <= answered + 4, `${length} requests: those that were under way`)
      },
    )
  }
  await t.test('failures: a vault that throttles a list gets no more requests in that poll', async (t) => {
    const pod = await podWith(t, [...three, 'key/k'])
    await pod.start()
    await pod.advance(5 * minute)
    pod.vault.fault = () => ({ kind: 'throttled', retryAfter: 10 * minute })
    pod.vault.asked.length = 0
    await pod.advance(3 * minute)
    t.strictSame(
      pod.vault.asked.map(({ operation }) => operation),
      ['list'],
    )
  })
  await t.test('failures: an identity that may not sign in does not keep another one from reading', async (t) => {
    const pod = await podWith(t, ['a', objectOf('b', { identity: 1 })])
    pod.settings.identities.push({ cloud: 'Emulator', tenantId: 'tenant', clientId: 'other' })
    await pod.start()
    await pod.advance(5 * minute)
    pod.vault.fault = ({ name }) => (name === 'a' ? { kind: 'sign-in' } : undefined)
    await pod.advance(5 * minute)
    pod.vault.set('b', 'b-2')
    await pod.advance(3 * minute)
    t.match(pod.files(), { a: 'a-1', b: 'b-2' })
  })
  await t.test('failures: a vault that fails for long gets no more requests than a healthy one', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(5 * minute)
    pod.vault.fault = () => ({ kind: 'unavailable' })
    await pod.advance(10 * minute)
    pod.vault.asked.length = 0
    await pod.advance(4 * hour)
    t.ok(Math.abs(pod.vault.asked.length - 120) < 15, `${pod.vault.asked.length} requests in 4 hours`)
    t.equal(pod.end, undefined)
    t.match(pod.status().vaults, [{ failures: Number, lastError: { message: /unavailable/ } }])
    pod.vault.fault = () => undefined
    pod.vault.set('api-key', 'api-key-2')
    await pod.advance(4 * minute)
    t.equal(pod.files()['api-key'], 'api-key-2')
    t.match(pod.status().vaults, [{ failures: 0 }])
  })
  await t.test('failures: a vault that fails does not delay another one', async (t) => {
    const pod = await podWith(t, ['a', 'b', 'other:c', 'other:d'])
    await pod.start()
    await pod.advance(5 * minute)
    pod.vaultOf('other').fault = () => ({ hang: 10 * second })
    for (let round = 2; round < 6; round++) {
      pod.vault.set('a', `a-${round}`)
      await pod.advance(2.3 * minute)
      t.equal(pod.files()['a'], `a-${round}`)
    }
    pod.vaultOf('other').fault = () => undefined
  })
})

void t.test('poller: a jump of the wall clock does not move a poll', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(5 * minute)
  for (const jump of [365 * 24 * hour, -730 * 24 * hour]) {
    pod.clock.offset += jump
    pod.vault.asked.length = 0
    await pod.advance(20 * minute)
    t.ok(pod.vault.count('list') >= 9 && pod.vault.count('list') <= 11, `${pod.vault.count('list')} lists`)
  }
  pod.vault.set('api-key', 'api-key-2')
  await pod.advance(5 * minute)
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test('failures: a bug in the sidecar does not end it', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(5 * minute)
  pod.vault.before = ({ name }) => {
    if (name === 'api-key') throw new TypeError('canary-of-a-defect')
  }
  pod.vault.set('api-key', 'api-key-2')
  pod.vault.set('db-user', 'db-user-2')
  await pod.advance(5 * minute)
  t.match(pod.files(), { 'db-user': 'db-user-2', 'api-key': 'api-key-1' })
  pod.vault.beginPoll = () => {
    throw new RangeError('canary-of-a-defect')
  }
  await pod.advance(5 * minute)
  t.ok(pod.events('defect').length > 0)
  t.notMatch(JSON.stringify(pod.lines), /canary-of-a-defect/)
  delete (pod.vault as Partial<typeof pod.vault>).beginPoll
  pod.vault.before = () => undefined
  await pod.advance(10 * minute)
  t.equal(pod.files()['api-key'], 'api-key-2')
})
