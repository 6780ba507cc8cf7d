import t from 'tap'
import { podWith } from '../../support/sidecar-pod.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

const three = ['db-user', 'db-password', 'api-key']

void t.test('start: the first set is complete as soon as everything was read, and not before', async (t) => {
  const pod = await podWith(t, three)
  pod.vault.fault = ({ name }) => (name === 'api-key' ? { kind: 'unavailable' } : undefined)
  await pod.start()
  t.strictSame(pod.files(), {})
  t.match(pod.sidecar?.notReady(), /waiting for the first set/)
  let isSettled = false
  void pod.sidecar?.settled.then(() => (isSettled = true))
  await pod.advance(second)
  t.notOk(isSettled, 'startup probes wait')
  pod.vault.fault = () => undefined
  await pod.advance(minute)
  t.ok(isSettled, 'startup probes are answered')
  t.strictSame(pod.files(), { 'db-user': 'db-user-1', 'db-password': 'db-password-1', 'api-key': 'api-key-1' })
  t.equal(pod.sidecar?.notReady(), undefined)
  t.strictSame(pod.notifications, [], 'no notification for a first set')
})

void t.test(
  'rotation: a changed secret is read, switched to and notified; a quiet poll costs one request',
  async (t) => {
    const pod = await podWith(t, three)
    await pod.start()
    pod.vault.asked.length = 0
    await pod.advance(4 * minute)
    t.strictSame(
      pod.vault.asked.map(({ operation }) => operation),
      ['list', 'list'],
    )
    const set = pod.set

    pod.vault.set('db-password', 'db-password-2')
    pod.vault.asked.length = 0
    await pod.advance(2 * minute)
    t.match(pod.files(), { 'db-password': 'db-password-2', 'db-user': 'db-user-1' })
    t.strictSame(
      pod.vault.asked.map(({ operation, name }) => name ?? operation),
      ['list', 'db-password', 'list'],
    )
    t.not(pod.set, set)
    t.match(pod.notifications, [{ changed: [{ type: 'secret', name: 'db-password', paths: ['db-password'] }] }])

    await pod.advance(30 * minute)
    t.equal(pod.notifications.length, 1, 'no change, no signal')
    pod.stop()
    await pod.start()
    await pod.advance(10 * minute)
    t.equal(pod.notifications.length, 1, 'nor after a restart')
  },
)

void t.test('schedule: pods that start together do not poll together', async (t) => {
  for (const draw of [0.1, 0.9]) {
    const pod = await podWith(t, three)
    await pod.start()
    pod.vault.asked.length = 0
    pod.random = () => draw
    pod.stop()
    await pod.start()
    pod.vault.asked.length = 0
    await pod.advance(2 * minute * draw - second)
    t.strictSame(pod.vault.asked, [])
    await pod.advance(2 * second)
    t.equal(pod.vault.asked.length, 1, `the first wait is ${draw} of the interval`)
    pod.vault.asked.length = 0
    await pod.advance(2 * minute * (0.9 + 0.2 * draw) - 2 * second)
    t.strictSame(pod.vault.asked, [], 'those after it are all of it, 10% more or less')
    await pod.advance(2 * second)
    t.equal(pod.vault.asked.length, 1)
  }
})

void t.test('restart: sidecars that restart together do not read everything at the same time', async (t) => {
  for (const draw of [0.25, 0.75]) {
    const pod = await podWith(t, three)
    await pod.start()
    await pod.advance(3 * minute)
    pod.stop()
    pod.random = () => draw
    await pod.start()
    pod.vault.asked.length = 0
    await pod.advance(draw * hour - 3 * minute)
    t.equal(pod.vault.count('get'), 0)
    await pod.advance(6 * minute)
    t.equal(pod.vault.count('get'), 3, `at a moment of its own, ${draw} of the hour`)
  }
})
