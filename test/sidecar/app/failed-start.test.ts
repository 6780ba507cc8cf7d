import t from 'tap'
import { podWith } from '../../support/sidecar-pod.ts'
import { objectOf } from '../../support/settings.ts'

const second = 1_000
const minute = 60 * second
const link = (outcome: string): string => ` (docs: troubleshooting.md#sidecar-${outcome})`
const three = ['db-user', 'db-password', 'api-key']

void t.test('start: the sidecar gives up on permanent failures and waits for others to pass', async (t) => {
  await t.test('start: it gives up after 15 s of refusals and names everything that fails', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.fault = ({ name }) => (name === 'api-key' ? undefined : { kind: 'forbidden' })
    await pod.start()
    await pod.advance(14 * second)
    t.equal(pod.end, undefined)
    await pod.advance(2 * second)
    t.match(pod.end, {
      code: 1,
      reason: `vault my-kv, db-user: forbidden\nvault my-kv, db-password: forbidden${link('forbidden')}`,
    })
  })
  await t.test('start: it continues if the role is granted in the meantime', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.fault = () => ({ kind: 'forbidden' })
    await pod.start()
    await pod.advance(10 * second)
    pod.vault.fault = () => undefined
    await pod.advance(10 * second)
    t.equal(pod.end, undefined)
    t.equal(Object.keys(pod.files()).length, 3)
  })
  await t.test('start: it continues if the network comes up within 50 s', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.fault = () => ({ kind: 'network' })
    await pod.start()
    await pod.advance(45 * second)
    pod.vault.fault = () => undefined
    await pod.advance(16 * second)
    t.equal(pod.end, undefined)
    t.equal(Object.keys(pod.files()).length, 3)
  })
  for (const kind of ['network', 'malformed'] as const) {
    await t.test(`start: it gives up after 50 s of "${kind}", which is usually a misconfiguration`, async (t) => {
      const pod = await podWith(t, three)
      pod.vault.fault = () => ({ kind })
      await pod.start()
      await pod.advance(49 * second)
      t.equal(pod.end, undefined)
      await pod.advance(2 * second)
      t.match(pod.end, { code: 1, reason: new RegExp(`^vault my-kv, db-user: ${kind}\n.*#sidecar-${kind}\\)$`, 's') })
    })
  }
  await t.test('start: it does not give up on a vault that throttles in between', async (t) => {
    const pod = await podWith(t, three)
    const begun = pod.clock.elapsed()
    pod.vault.fault = () => ({ kind: (pod.clock.elapsed() - begun) % minute < 40 * second ? 'network' : 'throttled' })
    await pod.start()
    await pod.advance(4 * minute)
    t.equal(pod.end, undefined)
  })
  await t.test('start: each failed fetch keeps its reason until a set is served', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.fault = () => ({ kind: 'throttled' })
    const starting = pod.start()
    t.equal(
      pod.termination,
      `secret db-user: no answer yet\nsecret db-password: no answer yet\nsecret api-key: no answer yet${link('no-answer')}`,
    )
    await starting
    t.equal(pod.termination, `vault my-kv, db-user: throttled${link('throttled')}`)
    pod.vault.fault = () => ({ kind: 'unavailable' })
    await pod.advance(minute)
    t.match(pod.termination, /^vault my-kv, db-user: unavailable$/m)
    t.notMatch(pod.termination, /throttled/)
    pod.vault.fault = () => undefined
    await pod.advance(20 * second)
    t.equal(pod.termination, '')
    pod.vault.fault = () => ({ kind: 'unavailable' })
    await pod.advance(10 * minute)
    t.equal(pod.termination, '', 'later failures are no reason of a failed start')
  })
  for (const role of ['run', 'once'] as const) {
    await t.test(`start: role ${role}, ended before a set is served, is a failure with a reason`, async (t) => {
      const pod = await podWith(t, three)
      pod.vault.fault = () => ({ kind: 'timeout' })
      await pod.start(role)
      pod.interrupt()
      await pod.idle()
      t.match(pod.end, { code: 1, reason: 'vault my-kv, db-user: timeout' })
    })
  }
  for (const kind of ['throttled', 'timeout', 'unavailable', 'sign-in-unavailable', 'pending'] as const) {
    await t.test(`start: it retries until startup-timeout while the vault answers "${kind}"`, async (t) => {
      const pod = await podWith(t, three)
      pod.vault.fault = () => ({ kind })
      await pod.start()
      await pod.advance(4 * minute)
      t.equal(pod.end, undefined)
      t.ok(pod.vault.polls > 20, `${pod.vault.polls} tries in 4 minutes`)
      t.ok(pod.events('retry').length > 20, 'and says so')
      await pod.advance(61 * second)
      t.match(pod.end, { code: 1, reason: /my-kv, db-user: .*\n.*gave up after 5m/s })
    })
  }
  await t.test('start: it does not wait for optional objects', async (t) => {
    const pod = await podWith(t, ['a', objectOf('b', { optional: true }), objectOf('other:c', { optional: true })])
    pod.vault.delete('b')
    pod.vaultOf('other').fault = () => ({ hang: 10 * second })
    await pod.start()
    t.strictSame(pod.files(), {}, 'but for one attempt')
    await pod.advance(11 * second)
    t.strictSame(pod.files(), { a: 'a-1' })
    pod.vaultOf('other').fault = () => undefined
    pod.vault.set('b', 'b-2')
    await pod.advance(5 * minute)
    t.strictSame(pod.files(), { a: 'a-1', b: 'b-2', c: 'c-1' })
  })
  await t.test('start: missing optional objects do not make it stale', async (t) => {
    const pod = await podWith(t, ['a', objectOf('other:c', { optional: true })])
    pod.vaultOf('other').fault = () => ({ kind: 'unavailable' })
    await pod.start()
    t.match(pod.status(), { ready: true, stale: false })
  })
  await t.test('start: it reads the other objects if one never answers', async (t) => {
    const pod = await podWith(t, [objectOf('a', { optional: true }), 'b', 'c'])
    pod.vault.mayList = false
    pod.vault.fault = ({ name }) => (name === 'a' ? { kind: 'timeout' } : undefined)
    await pod.start()
    await pod.advance(minute)
    t.strictSame(pod.files(), { b: 'b-1', c: 'c-1' })
  })
  await t.test('start: it succeeds if the only objects are optional and missing', async (t) => {
    const pod = await podWith(t, [objectOf('b', { optional: true })])
    pod.vault.delete('b')
    await pod.start()
    t.equal(pod.sidecar?.notReady(), undefined)
    t.match(pod.sidecar?.metrics(), /polls_total\{vault="my-kv",outcome="success"\} 1/)
  })
  await t.test('start: it keeps what it has read while it retries the rest', async (t) => {
    const pod = await podWith(t, three)
    pod.vault.fault = ({ name }) => (name === 'api-key' ? { kind: 'unavailable' } : undefined)
    await pod.start()
    await pod.advance(minute)
    pod.vault.fault = ({ name }) => (name === 'api-key' ? undefined : { kind: 'unavailable' })
    await pod.advance(minute)
    t.equal(Object.keys(pod.files()).length, 3)
  })
})
