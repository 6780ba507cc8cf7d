import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { objectOf } from '../../support/settings.ts'
import { podWith } from '../../support/sidecar-pod.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

const optional = (count: number, vault: string, identity = 0) =>
  Array.from({ length: count }, (_, index) => objectOf(`${vault}:c${index}`, { optional: true, identity }))

const kinds = ['hang', 'network', 'unavailable', 'throttled', 'malformed', 'sign-in', 'unauthorized'] as const

for (const kind of kinds) {
  void t.test(
    `optional objects: a vault that fails (${kind}) holds a pod back for one poll, however many they are`,
    async (t) => {
      for (const count of [1, 20]) {
        const pod = await podWith(t, ['a', ...optional(count, 'other')])
        const other = pod.vaultOf('other')
        other.fault = () => (kind === 'hang' ? { hang: 10 * second } : { kind })
        await pod.start()
        if (kind === 'hang') await pod.advance(10 * second)
        t.match(pod.files(), { a: 'a-1' }, `${count} objects`)
        t.equal(other.asked.length, 1, 'it gets one request')
        t.equal(pod.events('object').length, 1, 'one failure is logged once')
        const failing = pod.sidecar?.metrics().match(/object_failing\{vault="other".* 1/g)
        t.equal(failing?.length, count, 'each of them fails')
        other.fault = () => undefined
        await pod.advance(10 * minute)
        t.equal(Object.keys(pod.files()).length, 1 + count, 'they are added once they can be read')
        t.strictSame(
          pod.status().objects.flatMap(({ problem }) => problem ?? []),
          [],
        )
      }
    },
  )
}

void t.test('optional objects: one that hangs does not keep the others of its vault from being read', async (t) => {
  const pod = await podWith(t, optional(20, 'my-kv'))
  pod.vault.fault = ({ name }) => (name === 'c0' || name === 'c1' ? { hang: 10 * second } : undefined)
  await pod.start()
  await pod.advance(minute)
  t.equal(Object.keys(pod.files()).length, 18)
})

void t.test('optional objects: an identity that may not sign in does not keep another one from reading', async (t) => {
  for (const kind of ['sign-in', 'sign-in-unavailable', 'unauthorized'] as const) {
    const pod = await podWith(t, [...optional(5, 'my-kv', 1), 'a', 'b'])
    pod.settings.identities.push({ cloud: 'Emulator', tenantId: 'tenant', clientId: 'other' })
    pod.vault.fault = ({ name }) => (name?.startsWith('c') ? { kind } : undefined)
    await pod.start()
    t.strictSame(pod.files(), { a: 'a-1', b: 'b-1' }, `${kind}: in the first poll`)
    t.strictSame(
      pod.vault.asked.map(({ operation, name }) => name ?? operation),
      ['c0', 'a', 'b', 'list'],
      'the refused identity makes one attempt, and the values of the other are confirmed',
    )
    t.match(pod.events('switched'), [{ settled: true }])
  }
})

void t.test('optional objects: required objects behind them wait for the failure that ended the poll', async (t) => {
  const pod = await podWith(t, [...optional(5, 'my-kv'), 'a', 'b'])
  pod.vault.fault = () => ({ kind: 'sign-in' })
  await pod.start()
  t.match(pod.termination, /^vault my-kv, c0: sign-in/)
  t.notMatch(pod.termination, /c0[^]*c0|no answer yet/, 'it is named once')
  await pod.advance(20 * second)
  t.match(pod.end, { code: 1, reason: /sign-in/ })
})

void t.test('optional objects: a refused identity is no success, an object that the pod may not read is', async (t) => {
  for (const [kind, outcome, isAnswered] of [
    ['sign-in', 'failed', false],
    ['unauthorized', 'failed', false],
    ['forbidden', 'success', true],
    ['disabled', 'success', true],
  ] as const) {
    const pod = await podWith(t, optional(1, 'my-kv'))
    await pod.start()
    pod.stop()
    pod.vault.fault = () => ({ kind })
    pod.vault.set('c0', 'c0-2')
    await pod.start()
    await pod.advance(10 * minute)
    t.match(pod.files(), { c0: 'c0-1' })
    t.match(pod.sidecar?.metrics(), new RegExp(`polls_total\\{vault="my-kv",outcome="${outcome}"\\}`), kind)
    t.equal(/last_answer_timestamp_seconds\{/.test(pod.sidecar?.metrics() ?? ''), isAnswered, kind)
    t.equal(pod.status().stale, !isAnswered, kind)
    t.ok(pod.vault.asked.length < 10, 'only a person can fix it: it is retried after an interval')
  }
})

void t.test('failures: a vault that fails delays neither repair nor rotation of another one', async (t) => {
  const pod = await podWith(t, ['a', ...Array.from({ length: 20 }, (_, index) => `other:c${index}`)])
  await pod.start()
  await pod.advance(5 * minute)
  pod.vaultOf('other').fault = () => ({ kind: 'unavailable' })
  const file = join(pod.mount, '..data', 'a')
  chmodSync(file, 0o644)
  writeFileSync(file, 'forged')
  for (let minutes = 0; !pod.status().tampered && minutes < 120; minutes++) await pod.advance(minute)
  pod.vault.set('a', 'a-2')
  await pod.advance(5 * minute)
  t.match(pod.files(), { a: 'a-2', c19: 'c19-1' })
  t.ok(pod.vaultOf('other').asked.length < hour / minute)
})
