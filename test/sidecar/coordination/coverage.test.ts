import t from 'tap'
import { objectOf } from '../../support/settings.ts'
import { coordinatedPod, coveredPod } from './scene.ts'

const minute = 60_000
const hour = 60 * minute

void t.test('coverage: a covered pod requests nothing between full refreshes', async (t) => {
  const { pod, pass, end } = await coveredPod(t)
  await pass(40 * minute)
  t.strictSame(pod.vault.asked, [])
  t.match(pod.status(), { coordinator: { connected: true }, vaults: [{ covered: true }] })
  t.match(pod.sidecar?.metrics(), /akv_injector_sidecar_coordinator_connected 1\n/)
  t.match(pod.sidecar?.metrics(), /akv_injector_sidecar_coordinator_untrusted 0\n/)
  t.match(pod.sidecar?.metrics(), /akv_injector_sidecar_vault_covered\{vault="my-kv"\} 1\n/)
  await pass(30 * minute)
  t.ok(pod.vault.count('get') >= 2, 'the full refresh')
  await end({ reason: 'not trusted', isUntrusted: true })
  t.match(pod.sidecar?.metrics(), /akv_injector_sidecar_coordinator_untrusted 1\n/)
  t.match(pod.sidecar?.metrics(), /akv_injector_sidecar_vault_covered\{vault="my-kv"\} 0\n/)
})

void t.test('coverage: begins only after an ordinary poll that follows the look', async (t) => {
  const { pod, look, cover, pass } = await coordinatedPod(t, ['a', 'b'])
  await pod.start()
  await pod.advance(5_000)
  await look()
  await cover()
  pod.vault.asked.length = 0
  // A write that neither the poll before saw nor any later look shows.
  pod.vault.set('a', 'a-2')
  await pass(3 * minute)
  t.equal(pod.files()['a'], 'a-2')
  pod.vault.asked.length = 0
  await pass(10 * minute)
  t.ok(pod.vault.asked.length <= 3, 'then polling ends')
})

void t.test(
  'coverage: a hint is one request for each named object, and the file is there within a second',
  async (t) => {
    const { pod, hint, now, pass } = await coveredPod(t)
    const version = pod.vault.set('a', 'a-2')
    await hint('a', version, now())
    await pod.advance(1_000)
    t.equal(pod.files()['a'], 'a-2')
    t.strictSame(pod.vault.asked, [{ operation: 'get', type: 'secret', name: 'a' }])
    t.equal(pod.notifications.length, 1)
    await pass(40 * minute)
    t.equal(pod.vault.asked.length, 1, 'it stays covered')
  },
)

void t.test('coverage: a hint that a lagging replica contradicts is followed again', async (t) => {
  const { pod, hint, now } = await coveredPod(t)
  await hint('a', 'a0a0', now())
  await pod.advance(1_400)
  t.equal(pod.vault.count('get'), 1, 'the old version')
  pod.vault.set('a', 'a-2')
  pod.vault.asked.length = 0
  await pod.advance(1_000)
  t.equal(pod.files()['a'], 'a-2')
})

void t.test('coverage: hints without end cost no more than polling', async (t) => {
  const { pod, hint, now, look } = await coveredPod(t)
  for (let second = 0; second < 3_600; second += 10) {
    await hint('a', 'a0a0', now())
    await look()
    await pod.advance(10_000)
  }
  // Polling costs 30 lists; a hint poll is one GET.
  t.ok(pod.vault.asked.length <= 30 + 10, `${pod.vault.asked.length} requests in an hour`)
})

void t.test('coverage: three changes in one poll interval are all followed at once', async (t) => {
  const { pod, hint, now } = await coveredPod(t, ['a', 'b'], { pollInterval: 600_000 })
  for (const value of ['a-2', 'a-3', 'a-4']) {
    await hint('a', pod.vault.set('a', value), now())
    await pod.advance(2_000)
    t.equal(pod.files()['a'], value)
  }
})

void t.test('coverage: lost by any of its ends, polling comes back within one interval', async (t) => {
  type Scene = Awaited<ReturnType<typeof coveredPod>>
  const losses: [name: string, lose: (scene: Scene) => Promise<void>][] = [
    ['the session ends', ({ end, net }) => ((net.isUp = false), end())],
    ['the coordinator refuses', ({ cover }) => cover(false)],
    ['looks become old', async ({ pod }) => pod.advance(61_000)],
    ['heartbeats without the look', ({ send }) => send({ name: 'heartbeat', number: 99, snapshot: 1, looks: [] })],
  ]
  for (const [name, lose] of losses) {
    const scene = await coveredPod(t)
    await scene.pass(10 * minute)
    t.strictSame(scene.pod.vault.asked, [], name)
    await lose(scene)
    scene.pod.vault.set('a', 'a-2')
    await scene.pod.advance(2 * minute + 1_000)
    t.equal(scene.pod.files()['a'], 'a-2', name)
    await scene.pod.advance(10 * minute)
    t.ok(scene.pod.vault.count('list') >= 4, `${name}: and goes on`)
  }
})

/** Lets time pass until the end of the next poll, and hardly longer. */
async function untilPolled({ pod, look }: Awaited<ReturnType<typeof coordinatedPod>>): Promise<void> {
  pod.vault.asked.length = 0
  for (let passed = 10; pod.vault.asked.length === 0 && passed < 10 * minute; passed += 10) {
    await pod.advance(10)
    if (passed % 20_000 === 0) await look()
  }
}

void t.test(
  'coverage: lost right after the poll that confirms it, polling comes back within one interval',
  async (t) => {
    for (const delay of [0, 500, 2_000]) {
      const scene = await coordinatedPod(t, ['a', 'b'])
      const { pod, look, cover, net, end } = scene
      // The poll ends between two checks, which come once a second.
      pod.random = () => 0.4567
      await pod.start()
      await pod.advance(5_000)
      await look()
      await cover()
      await untilPolled(scene)
      t.match(pod.status(), { vaults: [{ covered: true }] })
      await pod.advance(delay)
      net.isUp = false
      await end()
      pod.vault.set('a', 'a-2')
      await pod.advance(3 * minute)
      t.equal(pod.files()['a'], 'a-2', `${delay} ms after it`)
    }
  },
)

void t.test('coverage: a hint right after the poll that replaced an earlier one is not lost', async (t) => {
  for (const delay of [0, 500, 2_000]) {
    const scene = await coveredPod(t)
    const { pod, hint, now, pass } = scene
    pod.random = () => 0.4567
    for (const value of ['a-2', 'a-3', 'a-4']) {
      await hint('a', pod.vault.set('a', value), now())
      await pod.advance(2_000)
    }
    t.equal(pod.files()['a'], 'a-4')
    await hint('a', pod.vault.set('a', 'a-5'), now())
    await untilPolled(scene)
    t.equal(pod.files()['a'], 'a-5', 'the ordinary poll')
    await pod.advance(delay)
    await hint('a', pod.vault.set('a', 'a-6'), now())
    await pass(5 * minute)
    t.equal(pod.files()['a'], 'a-6', `${delay} ms after it`)
  }
})

void t.test('coverage: losing it draws the next poll from a whole interval', async (t) => {
  const due: number[] = []
  for (const random of [0, 0.25, 0.5, 0.99]) {
    const { pod, pass, end, net } = await coveredPod(t)
    await pass(10 * minute)
    net.isUp = false
    pod.random = () => random
    const before = pod.clock.elapsed()
    await end()
    while (pod.vault.asked.length === 0) await pod.advance(1_000)
    due.push(pod.clock.elapsed() - before)
  }
  t.ok(due[0]! <= 2_000 && due[3]! >= 115_000, due.join())
})

void t.test('coverage: an object that fails is polled as always, and covered again after it recovered', async (t) => {
  const { pod, pass, served, cover, hint } = await coveredPod(t)
  pod.vault.fault = ({ name }) => (name === 'a' ? { kind: 'forbidden' } : undefined)
  await hint('a')
  await pod.advance(2_000)
  t.strictSame(
    served().objects.map(({ name }) => name),
    ['b'],
    'it is not reported',
  )
  await pass(10 * minute)
  t.ok(pod.vault.asked.length >= 4, 'polled')
  pod.vault.fault = () => undefined
  await pass(3 * minute)
  t.strictSame(
    served().objects.map(({ name }) => name),
    ['a', 'b'],
  )
  await cover()
  await pass(5 * minute)
  pod.vault.asked.length = 0
  await pass(20 * minute)
  t.strictSame(pod.vault.asked, [])
})

void t.test('coverage: a history is polled', async (t) => {
  const history = await coveredPod(t, ['a', objectOf('b', { history: 2 })])
  t.strictSame(
    history.served().objects.map(({ name }) => name),
    ['a'],
    'a history is not reported',
  )
  await history.pass(10 * minute)
  t.ok(history.pod.vault.asked.length > 3, 'and keeps its vault polled')
})

void t.test('coverage: the back-off after a failure comes from the poll interval', async (t) => {
  const { pod, hint, now, pass } = await coveredPod(t)
  pod.vault.fault = () => ({ kind: 'unavailable' })
  await hint('a', 'a0a0', now())
  await pass(30 * minute)
  pod.vault.fault = () => undefined
  pod.vault.set('a', 'a-2')
  await pass(5 * minute)
  t.equal(pod.files()['a'], 'a-2')
})

void t.test('coverage: a coordinator that sends anything changes no file', async (t) => {
  const { pod, send, hint } = await coveredPod(t)
  const { set } = pod
  await hint('not-there', 'a0a0', 1)
  await send({ name: 'change', spreadMs: Number.MAX_SAFE_INTEGER, changes: [] })
  await send({ name: 'change', spreadMs: 0, changes: [{ vault: 'https://evil.example', type: 'secret', name: 'a' }] })
  await send({ name: 'welcome', caCertificates: 'no certificate' })
  await pod.advance(hour)
  t.equal(pod.set, set)
  t.strictSame(
    pod.vault.asked.filter(({ name }) => name === 'not-there'),
    [],
  )
  t.equal(pod.end, undefined)
})
