import t from 'tap'
import { versionId } from '../../../shared/coordination/turns.ts'
import { myVault } from '../coordination/scene.ts'
import { minute, second, servingPod, waitingPod } from './scene.ts'

void t.test(
  'turns: a new set waits, is switched in when it is acknowledged, and the turn ends when the app is up',
  async (t) => {
    const { pod, request, states, answer, phases, startApp, stopApp, modified } = await servingPod(t)
    t.match(states().at(-1), { maxUnavailable: { count: 1 }, timeoutMs: 600_000, isUp: true, request: undefined })
    const before = { set: pod.set, modified: modified('a') }
    const version = pod.vault.set('a', 'a-2')
    await pod.advance(3 * minute)
    t.match(request(), { phase: 'waiting', take: 0, heldMs: 0, isRefresh: false, objects: 'secret a' })
    t.strictSame(request()?.versions, [versionId({ vault: myVault, type: 'secret', name: 'a' }, version)])
    const count = states().length
    await pod.advance(30 * minute)
    t.equal(states().length, count, 'it is said once')
    t.strictSame({ set: pod.set, modified: modified('a') }, before, 'nothing in the volume changed')
    t.strictSame(pod.files(), { a: 'a-1' })
    t.equal(pod.notifications.length, 0)
    await answer('queued', { place: 1, reason: 'pod web-1 has its turn' })
    await answer('granted')
    t.match(request(), { phase: 'taken', take: 1 })
    t.strictSame(pod.files(), { a: 'a-1' }, 'not before it is acknowledged')
    await answer('acknowledged', { take: 1 })
    t.strictSame(pod.files(), { a: 'a-2' })
    t.match(states().at(-1), { isUp: false, request: { phase: 'switched' } })
    t.equal(pod.notifications.length, 1)
    await pod.advance(3 * second)
    stopApp()
    await pod.advance(3 * second)
    startApp()
    await pod.advance(8 * second)
    t.match(states().at(-1), { isUp: false, request: { phase: 'switched' } })
    await pod.advance(4 * second)
    t.match(states().at(-1), { isUp: true, request: { phase: 'done' } })
    await answer('ended')
    t.equal(states().at(-1)?.request, undefined)
    await pod.advance(30 * minute)
    t.strictSame(phases(), ['none', 'waiting', 'taken', 'switched', 'done', 'none'])
    t.notMatch(JSON.stringify(states()), /a-[12]/, 'no value')
  },
)

void t.test('turns: no turn is requested if no byte differs', async (t) => {
  const { pod, states } = await servingPod(t)
  pod.vault.set('a', 'a-1')
  await pod.advance(10 * minute)
  t.equal(states().filter(({ request }) => request).length, 0)
})

void t.test('turns: a request is withdrawn when the served value comes back', async (t) => {
  const { pod, request, states } = await waitingPod(t)
  t.match(request(), { phase: 'waiting' })
  pod.vault.set('a', 'a-1')
  const reads = pod.vault.count('get')
  while (pod.vault.count('get') === reads) await pod.advance(second)
  await pod.advance(5 * second)
  t.equal(states().at(-1)?.request, undefined)
  t.strictSame(pod.files(), { a: 'a-1' })
  t.equal(pod.notifications.length, 0)
})

void t.test(
  'turns: the same versions keep their request, other versions have another, and the grant of the old one is declined',
  async (t) => {
    const { pod, request, answer, grant } = await waitingPod(t, ['a', 'b'])
    const first = request()
    await answer('granted')
    t.match(request(), { id: first?.id, phase: 'taken' })
    pod.vault.set('b', 'b-2')
    await pod.advance(3 * minute)
    const second = request()
    t.match(second, { phase: 'waiting', take: 0, objects: 'secret a, secret b' })
    t.not(second?.id, first?.id)
    t.equal(second?.versions.length, 2)
    await answer('acknowledged', { id: first?.id ?? '', take: 1 })
    t.strictSame(pod.files(), { a: 'a-1', b: 'b-1' }, 'what was granted is no longer wanted')
    await grant()
    t.strictSame(pod.files(), { a: 'a-2', b: 'b-2' })
  },
)

void t.test('turns: a newer version that is read after the acknowledgment needs a turn of its own', async (t) => {
  const { pod, request, sessions, grant } = await servingPod(t)
  pod.stop()
  let meanwhile = (): void => undefined
  pod.wrapVolume = (volume) => {
    const read = volume.read.bind(volume)
    return Object.assign(volume, {
      read() {
        meanwhile()
        return read()
      },
    })
  }
  await pod.start()
  pod.vault.set('a', 'a-2')
  await pod.advance(3 * minute)
  const waiting = request()
  t.match(waiting, { phase: 'waiting' })
  pod.vault.set('a', 'a-3')
  // The poll has read the version and has the volume to itself.
  meanwhile = () => {
    meanwhile = () => undefined
    for (const answer of ['granted', 'acknowledged'] as const)
      sessions.at(-1)?.onEvent({ name: 'turn', id: waiting?.id ?? '', answer, take: 1, members: 3, halts: [] })
  }
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { a: 'a-1' }, 'the version that was read meanwhile was not granted')
  t.match(request(), { phase: 'waiting', take: 0 })
  t.not(request()?.id, waiting?.id)
  await grant()
  t.strictSame(pod.files(), { a: 'a-3' })
})

void t.test('turns: a late acknowledgment is not followed', async (t) => {
  const { pod, request, answer, grant } = await waitingPod(t)
  await answer('granted')
  await pod.advance(6 * second)
  t.match(request(), { phase: 'waiting', take: 1 })
  await answer('acknowledged', { take: 1 })
  t.strictSame(pod.files(), { a: 'a-1' })
  await answer('granted')
  t.match(request(), { phase: 'taken', take: 2 })
  await answer('acknowledged', { take: 1 })
  t.strictSame(pod.files(), { a: 'a-1' }, 'that of an earlier take neither')
  await answer('acknowledged', { take: 2 })
  t.strictSame(pod.files(), { a: 'a-2' })
  await grant()
  t.match(request(), { phase: 'switched', take: 2 }, 'nothing is granted twice')
})

void t.test('turns: an acknowledgment is late after 5 s, between two checks too', async (t) => {
  for (const offset of [0, 250, 500, 750]) {
    const { pod, answer } = await waitingPod(t)
    await pod.advance(offset)
    await answer('granted')
    await pod.advance(5_100)
    await answer('acknowledged', { take: 1 })
    t.strictSame(pod.files(), { a: 'a-1' })
  }
})

void t.test('turns: an acknowledgment at the very end of its time is followed', async (t) => {
  const { pod, answer } = await waitingPod(t)
  await answer('granted')
  await pod.advance(5 * second)
  await answer('acknowledged', { take: 1 })
  t.strictSame(pod.files(), { a: 'a-2' })
})

void t.test('turns: a session that ends takes the grant with it, and leaves the rest', async (t) => {
  const { pod, request, answer, grant, end, states, startApp } = await waitingPod(t)
  const first = request()
  await end()
  await pod.advance(20 * second)
  t.match(request(), { id: first?.id, phase: 'waiting' }, 'waiting: the same request in the next session')
  await answer('granted')
  await end()
  await pod.advance(2 * second)
  t.match(request(), { id: first?.id, phase: 'waiting', take: 1 }, 'taken: it waits again')
  await answer('acknowledged', { take: 1 })
  t.strictSame(pod.files(), { a: 'a-1' })
  await grant()
  t.strictSame(pod.files(), { a: 'a-2' })
  const count = states().length
  await pod.advance(10 * second)
  t.equal(states().length, count, 'time that passes is nothing to report')
  await end()
  await pod.advance(20 * second)
  t.match(request(), { id: first?.id, phase: 'switched' }, 'switched: it is still held')
  t.ok((request()?.heldMs ?? 0) >= 10 * second, 'and since when')
  startApp()
  await end()
  await pod.advance(30 * second)
  t.match(
    states().at(-1),
    { isUp: true, request: { id: first?.id, phase: 'done' } },
    'done: the next session learns it',
  )
})

void t.test('turns: a turn has no splay, whatever the settings say', async (t) => {
  const { pod, grant } = await waitingPod(t, ['a'], { notify: { url: 'http://localhost/', splay: 5 * minute } })
  await grant()
  t.match(pod.notifications, [{ switchedAt: pod.clock.now(), dueAt: pod.clock.now() }])
})
