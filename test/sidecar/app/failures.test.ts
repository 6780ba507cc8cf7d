import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Manifest } from '../../../sidecar/volume/manifest.ts'
import { podWith, type TestPod } from '../support/pod.ts'
import { objectOf } from '../support/settings.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const three = ['db-user', 'db-password', 'api-key']

/** When the change was switched in that the app is to be told of, and when it is due, as the volume has it. */
function notificationIn({ mount }: TestPod): { switchedAt: number; dueAt: number } {
  const { notification } = JSON.parse(readFileSync(join(mount, '..data/..manifest.json'), 'utf8')) as Manifest
  const { switchedAt = NaN, dueAt = NaN } = notification ?? {}
  return { switchedAt, dueAt }
}

void t.test('what fails keeps its last good value, and the others go on', async (t) => {
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
    await t.test(kind, async (t) => {
      const pod = await podWith(t, three)
      await pod.start()
      await pod.advance(5 * minute)
      pod.twin.set('db-user', 'db-user-2')
      pod.twin.set('db-password', 'db-password-2')
      pod.twin.fault = ({ name }) => (name === 'db-user' ? { kind } : undefined)
      await pod.advance(5 * minute)
      t.match(pod.files(), { 'db-user': 'db-user-1', 'db-password': 'db-password-2', 'api-key': 'api-key-1' })
      t.match(pod.status().objects[0]?.problem, { kind, message: /db-user/ })
      t.match(pod.sidecar?.metrics(), /object_failing\{vault="my-kv",type="secret",name="db-user",path="db-user"\} 1/)
      t.equal(pod.events('object').length, 1, 'it is said once')
      t.equal(pod.told.length, 1)
      pod.twin.fault = () => undefined
      await pod.advance(5 * minute)
      t.match(pod.files(), { 'db-user': 'db-user-2' })
      t.equal(pod.status().objects[0]?.problem, undefined)
      t.match(pod.events('object').at(-1), { state: 'recovered' })
    })
  }
})

void t.test('an object that is gone', async (t) => {
  await t.test('is retained', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.twin.delete('api-key')
    await pod.advance(5 * minute)
    t.equal(pod.files()['api-key'], 'api-key-1')
  })
  await t.test('is an answer of the vault, of which nothing else was asked', async (t) => {
    const pod = await podWith(t, ['a'])
    await pod.start()
    pod.stop()
    pod.twin.delete('a')
    await pod.start()
    await pod.advance(5 * minute)
    t.match(pod.status(), { ready: true, stale: false, objects: [{ problem: { kind: 'gone' } }] })
    const { lastPoll } = pod.status().vaults[0] ?? {}
    const answered = /last_answer_timestamp_seconds\{vault="my-kv"\} (\S+)/.exec(pod.sidecar?.metrics() ?? '')?.[1]
    t.equal(new Date(Number(answered) * 1000).toISOString(), lastPoll)
    t.notMatch(pod.sidecar?.metrics(), /last_success_timestamp_seconds/)
    pod.twin.fault = () => ({ kind: 'forbidden' })
    await pod.advance(5 * minute)
    t.match(pod.sidecar?.metrics(), `last_answer_timestamp_seconds{vault="my-kv"} ${answered}`, 'a refusal is none')
  })
  await t.test('or deleted, where that is asked for, and comes back', async (t) => {
    const pod = await podWith(t, three, { onDelete: 'delete' })
    await pod.start()
    pod.twin.delete('api-key')
    await pod.advance(3 * minute)
    t.strictSame(Object.keys(pod.files()), ['db-password', 'db-user'])
    t.match(pod.told, [{ changed: [{ name: 'api-key', paths: ['api-key'] }] }])
    await pod.advance(10 * minute)
    t.equal(pod.told.length, 1)

    pod.stop()
    await pod.start()
    t.equal(pod.sidecar?.notReady(), undefined, 'the set without it is complete')
    await pod.advance(5 * minute)
    pod.twin.recover('api-key')
    await pod.advance(3 * minute)
    t.equal(pod.files()['api-key'], 'api-key-1')
    t.equal(pod.told.length, 2)
  })
  await t.test('a history whole, though the vault still lists its versions, which are none', async (t) => {
    const pod = await podWith(t, [objectOf('api-key', { history: 2 }), 'db-user'], { onDelete: 'delete' })
    await pod.start()
    await pod.advance(minute)
    t.strictSame(Object.keys(pod.files()), ['api-key/0', 'db-user'])
    pod.twin.delete('api-key')
    await pod.advance(3 * minute)
    t.strictSame(Object.keys(pod.files()), ['db-user'])
    t.match(pod.status().objects[0]?.problem, { kind: 'gone' })
  })
  await t.test('but not for any other 404, nor because a list lacks it', async (t) => {
    const pod = await podWith(t, three, { onDelete: 'delete' })
    await pod.start()
    await pod.advance(5 * minute)
    pod.twin.fault = ({ name }) => (name === 'api-key' ? { kind: 'not-found' } : undefined)
    pod.twin.lag = Infinity
    await pod.advance(5 * minute)
    t.equal(Object.keys(pod.files()).length, 3)
  })
  await t.test('at the start holds the pod back', async (t) => {
    const pod = await podWith(t, three, { onDelete: 'delete' })
    pod.twin.delete('api-key')
    await pod.start()
    await pod.advance(20 * second)
    t.match(pod.end, { code: 1, reason: /api-key: gone/ })
  })
})

void t.test('the start', async (t) => {
  await t.test('gives up after 15 s of refusals, naming everything that fails', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.fault = ({ name }) => (name === 'api-key' ? undefined : { kind: 'forbidden' })
    await pod.start()
    await pod.advance(14 * second)
    t.equal(pod.end, undefined)
    await pod.advance(2 * second)
    t.match(pod.end, { code: 1, reason: /^vault my-kv, db-user: forbidden\nvault my-kv, db-password: forbidden$/ })
  })
  await t.test('goes on when the role is granted meanwhile', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.fault = () => ({ kind: 'forbidden' })
    await pod.start()
    await pod.advance(10 * second)
    pod.twin.fault = () => undefined
    await pod.advance(10 * second)
    t.equal(pod.end, undefined)
    t.equal(Object.keys(pod.files()).length, 3)
  })
  await t.test('goes on if the network comes up within 50 s', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.fault = () => ({ kind: 'network' })
    await pod.start()
    await pod.advance(45 * second)
    pod.twin.fault = () => undefined
    await pod.advance(16 * second)
    t.equal(pod.end, undefined)
    t.equal(Object.keys(pod.files()).length, 3)
  })
  for (const kind of ['network', 'malformed'] as const) {
    await t.test(`gives up after 50 s of "${kind}", which is usually misconfigured`, async (t) => {
      const pod = await podWith(t, three)
      pod.twin.fault = () => ({ kind })
      await pod.start()
      await pod.advance(49 * second)
      t.equal(pod.end, undefined)
      await pod.advance(2 * second)
      t.match(pod.end, { code: 1, reason: `vault my-kv, db-user: ${kind}` })
    })
  }
  await t.test('is patient with a vault that is throttled in between', async (t) => {
    const pod = await podWith(t, three)
    const begun = pod.clock.elapsed()
    pod.twin.fault = () => ({ kind: (pod.clock.elapsed() - begun) % minute < 40 * second ? 'network' : 'throttled' })
    await pod.start()
    await pod.advance(4 * minute)
    t.equal(pod.end, undefined)
  })
  await t.test('keeps the reason at each failed fetch, until a set is served', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.fault = () => ({ kind: 'throttled' })
    const starting = pod.start()
    t.equal(pod.termination, 'secret db-user: no answer yet\nsecret db-password: no answer yet\nsecret api-key: no answer yet') // prettier-ignore
    await starting
    t.equal(pod.termination, 'vault my-kv, db-user: throttled')
    pod.twin.fault = () => ({ kind: 'unavailable' })
    await pod.advance(minute)
    t.match(pod.termination, /^vault my-kv, db-user: unavailable$/m)
    t.notMatch(pod.termination, /throttled/)
    pod.twin.fault = () => undefined
    await pod.advance(20 * second)
    t.equal(pod.termination, '')
    pod.twin.fault = () => ({ kind: 'unavailable' })
    await pod.advance(10 * minute)
    t.equal(pod.termination, '', 'later failures are no reason of a failed start')
  })
  for (const role of ['run', 'once'] as const) {
    await t.test(`in the role ${role}, ended before a set is served, is a failure that has a reason`, async (t) => {
      const pod = await podWith(t, three)
      pod.twin.fault = () => ({ kind: 'timeout' })
      await pod.start(role)
      pod.interrupt()
      await pod.idle()
      t.match(pod.end, { code: 1, reason: 'vault my-kv, db-user: timeout' })
    })
  }
  for (const kind of ['throttled', 'timeout', 'unavailable', 'sign-in-unavailable', 'pending'] as const) {
    await t.test(`tries on while the vault answers "${kind}", until startup-timeout`, async (t) => {
      const pod = await podWith(t, three)
      pod.twin.fault = () => ({ kind })
      await pod.start()
      await pod.advance(4 * minute)
      t.equal(pod.end, undefined)
      t.ok(pod.twin.polls > 20, `${pod.twin.polls} tries in 4 minutes`)
      t.ok(pod.events('retry').length > 20, 'and says so')
      await pod.advance(61 * second)
      t.match(pod.end, { code: 1, reason: /my-kv, db-user: .*\n.*gave up after 5m/s })
    })
  }
  await t.test('does not wait for optional objects', async (t) => {
    const pod = await podWith(t, ['a', objectOf('b', { optional: true }), objectOf('other:c', { optional: true })])
    pod.twin.delete('b')
    pod.twinOf('other').fault = () => ({ hang: 10 * second })
    await pod.start()
    t.strictSame(pod.files(), {}, 'but for one attempt')
    await pod.advance(11 * second)
    t.strictSame(pod.files(), { a: 'a-1' })
    pod.twinOf('other').fault = () => undefined
    pod.twin.set('b', 'b-2')
    await pod.advance(5 * minute)
    t.strictSame(pod.files(), { a: 'a-1', b: 'b-2', c: 'c-1' })
  })
  await t.test('is not stale for want of them', async (t) => {
    const pod = await podWith(t, ['a', objectOf('other:c', { optional: true })])
    pod.twinOf('other').fault = () => ({ kind: 'unavailable' })
    await pod.start()
    t.match(pod.status(), { ready: true, stale: false })
  })
  await t.test('reads the others where one object never answers', async (t) => {
    const pod = await podWith(t, [objectOf('a', { optional: true }), 'b', 'c'])
    pod.twin.mayList = false
    pod.twin.fault = ({ name }) => (name === 'a' ? { kind: 'timeout' } : undefined)
    await pod.start()
    await pod.advance(minute)
    t.strictSame(pod.files(), { b: 'b-1', c: 'c-1' })
  })
  await t.test('is over with nothing but optional objects that are not there', async (t) => {
    const pod = await podWith(t, [objectOf('b', { optional: true })])
    pod.twin.delete('b')
    await pod.start()
    t.equal(pod.sidecar?.notReady(), undefined)
    t.match(pod.sidecar?.metrics(), /polls_total\{vault="my-kv",outcome="success"\} 1/)
  })
  await t.test('keeps what was read while it tries the rest', async (t) => {
    const pod = await podWith(t, three)
    pod.twin.fault = ({ name }) => (name === 'api-key' ? { kind: 'unavailable' } : undefined)
    await pod.start()
    await pod.advance(minute)
    pod.twin.fault = ({ name }) => (name === 'api-key' ? undefined : { kind: 'unavailable' })
    await pod.advance(minute)
    t.equal(Object.keys(pod.files()).length, 3)
  })
})

void t.test('a vault in trouble', async (t) => {
  await t.test('is left alone for as long as it asks, at most 15 minutes', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(5 * minute)
    for (const [asks, waits] of [
      [3 * minute, 3 * minute],
      [5 * hour, 15 * minute],
    ] as const) {
      // prettier-ignore
      pod.twin.fault = () => ({ kind: 'throttled', retryAfter: asks })
      pod.twin.asked.length = 0
      while (pod.twin.asked.splice(0).length === 0) await pod.advance(10 * second)
      await pod.advance(waits - 20 * second)
      t.equal(pod.twin.asked.length, 0)
      pod.annotations = { ...pod.annotations, refresh: `${asks}` }
      await pod.advance(5 * second)
      t.equal(pod.twin.asked.length, 0, 'not even a request of the user moves that')
      pod.twin.fault = () => undefined
      await pod.advance(30 * second)
      t.ok(pod.twin.asked.length > 0)
    }
  })
  for (const answered of [0, 1, 7]) {
    await t.test(`is asked no more in that poll when it throttles after ${answered} answers`, async (t) => {
      const names = Array.from({ length: 40 }, (_, index) => `s${index}`)
      const pod = await podWith(t, names)
      let left = answered
      pod.twin.fault = () => (left-- > 0 ? undefined : { kind: 'throttled' })
      await pod.start()
      const { length } = pod.twin.asked
      t.ok(length <= answered + 4, `${length} requests: those that were under way`)
    })
  }
  await t.test('is asked no more when it throttles a list', async (t) => {
    const pod = await podWith(t, [...three, 'key/k'])
    await pod.start()
    await pod.advance(5 * minute)
    pod.twin.fault = () => ({ kind: 'throttled', retryAfter: 10 * minute })
    pod.twin.asked.length = 0
    await pod.advance(3 * minute)
    t.strictSame(pod.twin.asked.map(({ operation }) => operation), ['list']) // prettier-ignore
  })
  await t.test('does not keep one identity from reading because another may not sign in', async (t) => {
    const pod = await podWith(t, ['a', objectOf('b', { identity: 1 })])
    pod.settings.identities.push({ cloud: 'Emulator', tenantId: 'tenant', clientId: 'other' })
    await pod.start()
    await pod.advance(5 * minute)
    pod.twin.fault = ({ name }) => (name === 'a' ? { kind: 'sign-in' } : undefined)
    await pod.advance(5 * minute)
    pod.twin.set('b', 'b-2')
    await pod.advance(3 * minute)
    t.match(pod.files(), { a: 'a-1', b: 'b-2' })
  })
  await t.test('is asked no more often than in good times, for long', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(5 * minute)
    pod.twin.fault = () => ({ kind: 'unavailable' })
    await pod.advance(10 * minute)
    pod.twin.asked.length = 0
    await pod.advance(4 * hour)
    t.ok(Math.abs(pod.twin.asked.length - 120) < 15, `${pod.twin.asked.length} requests in 4 hours`)
    t.equal(pod.end, undefined)
    t.match(pod.status().vaults, [{ failures: Number, lastError: { message: /unavailable/ } }])
    pod.twin.fault = () => undefined
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(4 * minute)
    t.equal(pod.files()['api-key'], 'api-key-2')
    t.match(pod.status().vaults, [{ failures: 0 }])
  })
  await t.test('does not delay another', async (t) => {
    const pod = await podWith(t, ['a', 'b', 'other:c', 'other:d'])
    await pod.start()
    await pod.advance(5 * minute)
    pod.twinOf('other').fault = () => ({ hang: 10 * second })
    for (let round = 2; round < 6; round++) {
      pod.twin.set('a', `a-${round}`)
      await pod.advance(2.3 * minute)
      t.equal(pod.files()['a'], `a-${round}`)
    }
    pod.twinOf('other').fault = () => undefined
  })
})

void t.test('an earlier set', async (t) => {
  await t.test('is served at once, marked stale, when the vault is down', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.twin.fault = () => ({ kind: 'network' })
    await pod.start()
    t.equal(pod.sidecar?.notReady(), undefined)
    t.match(pod.status(), { ready: true, stale: true })
    t.match(pod.sidecar?.metrics(), /sidecar_stale 1/)
    await pod.advance(hour)
    t.equal(pod.end, undefined, 'nothing makes it exit')
    pod.twin.fault = () => undefined
    await pod.advance(5 * minute)
    t.match(pod.status(), { ready: true, stale: false })
    t.strictSame(pod.told, [])
  })
  await t.test('costs one request to confirm', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.twin.asked.length = 0
    await pod.start()
    t.strictSame(
      pod.twin.asked.map(({ operation }) => operation),
      ['list'],
    )
    t.match(pod.status(), { stale: false })
  })
  await t.test('is told of when it changed while nothing ran', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(minute)
    await pod.start()
    t.equal(pod.files()['api-key'], 'api-key-2')
    t.equal(pod.told.length, 1)
  })
  await t.test('keeps the deadline of a splay', async (t) => {
    const pod = await podWith(t, three, { notify: { splay: 5 * minute } })
    await pod.start()
    pod.appListens = false
    pod.random = () => 0.25
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(5 * minute)
    const { switchedAt, dueAt } = notificationIn(pod)
    t.equal(dueAt - switchedAt, 75_000, 'a draw of its own for each change')
    for (const draw of [0.5, 0.75]) {
      pod.random = () => draw
      pod.stop()
      await pod.start()
      await pod.advance(minute)
      t.strictSame(notificationIn(pod), { switchedAt, dueAt })
    }
    pod.stop()
    pod.appListens = true
    await pod.start()
    t.match(pod.told, [{ switchedAt, dueAt }])
  })
  await t.test('of other settings is not served', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    pod.settings.fileMode = 0o400
    pod.twin.fault = () => ({ kind: 'network' })
    await pod.start()
    t.match(pod.sidecar?.notReady(), /waiting/)
    pod.twin.fault = () => undefined
    await pod.advance(minute)
    t.equal(pod.sidecar?.notReady(), undefined)
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(5 * minute)
    t.equal(pod.files()['api-key'], 'api-key-2')
  })
  await t.test('that lacks a file is not served', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.stop()
    const { rmSync } = await import('node:fs')
    rmSync(`${pod.mount}/..data/api-key`)
    pod.twin.fault = () => ({ kind: 'network' })
    await pod.start()
    t.match(pod.sidecar?.notReady(), /waiting/)
    pod.twin.fault = () => undefined
    await pod.advance(minute)
    t.equal(Object.keys(pod.files()).length, 3)
  })
})

void t.test('a volume that cannot be written', async (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  await t.test('leaves the old set, says so, and is tried again', async (t) => {
    const pod = await podWith(t, three)
    let isFull = false
    pod.wrapVolume = (volume) => {
      const { switchTo } = volume
      volume.switchTo = async (...args) => (isFull ? Promise.reject(full) : switchTo.apply(volume, args))
      return volume
    }
    await pod.start()
    await pod.advance(5 * minute)
    isFull = true
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(10 * minute)
    t.match(pod.status().vaults, [{ failures: Number }])
    t.ok((pod.status().vaults[0]?.failures ?? 0) > 5, 'sooner than at the next poll')
    t.equal(pod.files()['api-key'], 'api-key-1')
    t.match(pod.status().volumeProblem, { message: /ENOSPC/ })
    t.match(pod.sidecar?.metrics(), /switches_total\{outcome="failed"\}/)
    t.equal(pod.twin.asked.filter(({ operation, name }) => operation === 'get' && name === 'api-key').length <= 4, true)
    t.equal(pod.end, undefined)
    isFull = false
    await pod.advance(5 * minute)
    t.equal(pod.files()['api-key'], 'api-key-2')
    t.equal(pod.status().volumeProblem, undefined)
    t.equal(pod.told.length, 1)
  })
  await t.test('at the start is tried until startup-timeout', async (t) => {
    const pod = await podWith(t, three)
    pod.wrapVolume = (volume) => Object.assign(volume, { switchTo: () => Promise.reject(full) })
    await pod.start()
    await pod.advance(6 * minute)
    t.match(pod.end, { code: 1, reason: /the volume: ENOSPC/ })
  })
  await t.test('that cannot be read at the start is no reason not to tell what was left to tell', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(5 * minute)
    pod.appListens = false
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(5 * minute)
    pod.stop()
    pod.appListens = true
    pod.wrapVolume = (volume) => {
      const { read } = volume
      let reads = 0
      volume.read = async () => (reads++ === 0 ? Promise.reject(new Error('EIO')) : read.call(volume))
      return volume
    }
    await pod.start()
    await pod.advance(5 * minute)
    t.match(pod.events('volume'), [{ msg: /cannot be read: EIO/ }])
    t.match(pod.told, [{ changed: [{ name: 'api-key' }] }])
  })
  await t.test('is filled again when what was in it is gone', async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(5 * minute)
    const { readdirSync, rmSync } = await import('node:fs')
    for (const name of readdirSync(pod.mount)) rmSync(`${pod.mount}/${name}`, { recursive: true })
    pod.twin.set('api-key', 'api-key-2')
    await pod.advance(10 * minute)
    t.strictSame(pod.files(), { 'db-user': 'db-user-1', 'db-password': 'db-password-1', 'api-key': 'api-key-2' })
  })
})

void t.test('a wall clock that jumps moves no poll', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(5 * minute)
  for (const jump of [365 * 24 * hour, -730 * 24 * hour]) {
    pod.clock.offset += jump
    pod.twin.asked.length = 0
    await pod.advance(20 * minute)
    t.ok(pod.twin.count('list') >= 9 && pod.twin.count('list') <= 11, `${pod.twin.count('list')} lists`)
  }
  pod.twin.set('api-key', 'api-key-2')
  await pod.advance(5 * minute)
  t.equal(pod.files()['api-key'], 'api-key-2')
})

void t.test('a defect of the program itself ends nothing', async (t) => {
  const pod = await podWith(t, three)
  await pod.start()
  await pod.advance(5 * minute)
  pod.twin.before = ({ name }) => {
    if (name === 'api-key') throw new TypeError('canary-of-a-defect')
  }
  pod.twin.set('api-key', 'api-key-2')
  pod.twin.set('db-user', 'db-user-2')
  await pod.advance(5 * minute)
  t.match(pod.files(), { 'db-user': 'db-user-2', 'api-key': 'api-key-1' })
  pod.twin.beginPoll = () => {
    throw new RangeError('canary-of-a-defect')
  }
  await pod.advance(5 * minute)
  t.ok(pod.events('defect').length > 0)
  t.notMatch(JSON.stringify(pod.lines), /canary-of-a-defect/)
  delete (pod.twin as Partial<typeof pod.twin>).beginPoll
  pod.twin.before = () => undefined
  await pod.advance(10 * minute)
  t.equal(pod.files()['api-key'], 'api-key-2')
})
