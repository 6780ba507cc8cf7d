import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Halt } from '../../../shared/coordination/turns.ts'
import { minute, second, servingPod, waitingPod } from './scene.ts'

const hour = 60 * minute

void t.test('waiting: status, metrics and the log say what the pod waits for, and since when', async (t) => {
  const scene = await servingPod(t)
  const { pod, answer, grant } = scene
  const waiting = (): string | undefined =>
    /^akv_injector_sidecar_turn_waiting_seconds (\S+)$/m.exec(pod.sidecar?.metrics() ?? '')?.[1]
  t.strictSame(pod.status().turn, {
    ...{ state: 'none', place: undefined, reason: undefined, since: undefined },
    halts: [],
  })
  t.equal(waiting(), '0')
  pod.vault.set('a', 'a-2')
  while (pod.status().turn?.state === 'none') await pod.advance(second)
  const since = new Date(pod.clock.now()).toISOString()
  await pod.advance(hour)
  await answer('queued', { place: 2, reason: 'pod web-1 has its turn' })
  await pod.advance(2 * minute)
  t.match(pod.status().turn, { state: 'waiting', place: 2, reason: 'pod web-1 has its turn' })
  t.ok(Math.abs(Date.parse(pod.status().turn?.since ?? '') - Date.parse(since)) <= second)
  t.ok(Math.abs(Number(waiting()) - 3_720) <= 2, `${waiting()} s`)
  t.match(pod.events('turn'), [
    { state: 'waiting', objects: 'secret a', msg: 'a new set of files waits for the turn of this pod' },
    { state: 'waiting', place: 2, msg: /: pod web-1 has its turn$/ },
  ])
  pod.vault.set('a', 'a-3')
  await pod.advance(3 * minute)
  t.ok(Number(waiting()) > 3_800, `${waiting()} s, because a newer set has waited as long`)
  await grant()
  await pod.advance(second)
  t.match(pod.events('turn').at(-1), { state: 'switched' })
  t.match(pod.events('switched').at(-1), { changedFiles: 1 })
  t.equal(waiting(), '0')
  t.equal(pod.status().notification.pending, undefined)
})

void t.test('waiting: the coordinator learns which version is served', async (t) => {
  const { pod, states, grant, ...scene } = await servingPod(t, ['a', 'b'])
  const versions = () =>
    scene
      .appliedStates()
      .at(-1)
      ?.objects.map(({ version }) => version)
  const before = versions()
  t.equal(before?.filter(Boolean).length, 2)
  const version = pod.vault.set('a', 'a-2')
  await pod.advance(3 * minute)
  t.ok(states().at(-1)?.request)
  t.strictSame(versions(), before)
  t.equal(
    scene.served().objects.find(({ name }) => name === 'a')?.version,
    version,
    'and watches the one that was read',
  )
  await grant()
  await pod.advance(2 * second)
  t.strictSame(versions(), [version, before?.[1]])
})

void t.test('waiting: halts are kept for the next process, and replaced by what the coordinator says', async (t) => {
  const { pod, states, request, answer } = await waitingPod(t)
  const halt: Halt = { versions: request()?.versions ?? [], reason: 'web-1: three processes ended' }
  await answer('halted', { halts: [halt], reason: halt.reason })
  await pod.advance(second)
  t.match(pod.status().turn, { state: 'halted', reason: halt.reason, halts: [halt.reason] })
  t.match(pod.sidecar?.metrics(), /^akv_injector_sidecar_turn_halted 1$/m)
  t.match(pod.events('turn').at(-1), { level: 'warn', state: 'halted' })
  pod.stop()
  await pod.start()
  await pod.advance(3 * minute)
  t.strictSame(states().at(-1)?.halts, [halt])
  t.match(pod.status().turn, { state: 'halted' })
  await answer('queued', { halts: [] })
  t.strictSame(states().at(-1)?.halts, [])
  t.match(pod.status().turn, { state: 'waiting' })
  pod.stop()
  await pod.start()
  await pod.advance(3 * minute)
  t.strictSame(states().at(-1)?.halts, [])
})

void t.test('waiting: what a person requests is marked until its turn ends', async (t) => {
  const { pod, request, grant, startApp, answer } = await waitingPod(t)
  const before = request()
  t.equal(before?.isRefresh, false)
  pod.annotations = { ...pod.annotations, refresh: '1' }
  await pod.advance(minute)
  t.match(request(), { ...before, isRefresh: true }, 'the same request')
  t.strictSame(pod.files(), { a: 'a-1' }, 'it bypasses nothing')
  await pod.advance(hour)
  t.match(request(), { ...before, isRefresh: true })
  await grant()
  startApp()
  await pod.advance(12 * second)
  t.match(request(), { phase: 'done', isRefresh: true })
  await answer('ended')
  pod.vault.set('a', 'a-3')
  await pod.advance(3 * minute)
  t.match(request(), { phase: 'waiting', isRefresh: false })
})

void t.test('waiting: a suspended pod requests nothing', async (t) => {
  const { pod, states, answer, request } = await waitingPod(t)
  await answer('granted')
  pod.annotations = { ...pod.annotations, suspend: 'true' }
  await pod.advance(2 * second)
  t.equal(states().at(-1)?.request, undefined)
  await pod.advance(hour)
  t.strictSame(pod.files(), { a: 'a-1' })
  t.equal(states().at(-1)?.request, undefined)
  pod.annotations = { ...pod.annotations, suspend: 'false' }
  await pod.advance(3 * minute)
  t.match(request(), { phase: 'waiting', take: 0 })
})

void t.test('waiting: without a session, a pod goes ahead after the timeout and a draw', async (t) => {
  for (const [random, splay, members, from, to] of [
    // The longest of the splay, the timeout, and a minute for each pod.
    [0, 0, 1, 10, 10],
    [0.999, 0, 1, 19, 20],
    [0.999, 0, 30, 39, 40],
    [0.999, 60, 30, 69, 70],
  ] as const) {
    const { pod, app, net, end, answer } = await waitingPod(t, ['a'], { notify: { splay: splay * minute } })
    await answer('queued', { members })
    net.isUp = false
    await end()
    app.draw = random
    await pod.advance(from * minute - 2 * second)
    t.strictSame(pod.files(), { a: 'a-1' }, `${random} ${splay} ${members}: not yet`)
    await pod.advance((to - from) * minute + 4 * second)
    t.strictSame(pod.files(), { a: 'a-2' }, `${random} ${splay} ${members}: by now`)
    t.match(pod.notifications, [{ dueAt: pod.notifications[0]?.switchedAt }])
  }
})

void t.test('waiting: a pod that went ahead alone says so in its next session', async (t) => {
  const { pod, app, net, end, request, startApp } = await waitingPod(t)
  const before = request()
  net.isUp = false
  await end()
  app.draw = 0
  await pod.advance(10 * minute + second)
  net.isUp = true
  t.strictSame(pod.files(), { a: 'a-2' })
  await pod.advance(10 * minute)
  t.match(request(), { id: before?.id, phase: 'switched', take: 0 })
  startApp()
  await pod.advance(12 * second)
  t.match(request(), { phase: 'done' })
})

void t.test('waiting: a session that comes back in time keeps a pod from going ahead', async (t) => {
  const { pod, net, end, request } = await waitingPod(t)
  for (let round = 0; round < 4; round++) {
    net.isUp = false
    await end()
    await pod.advance(9 * minute)
    net.isUp = true
    await pod.advance(20 * minute)
    t.strictSame(pod.files(), { a: 'a-1' })
  }
  t.match(request(), { phase: 'waiting' })
})

void t.test('waiting: a pod never goes ahead alone with halted versions, and does with newer ones', async (t) => {
  const { pod, app, net, end, request, answer } = await waitingPod(t)
  await answer('halted', { halts: [{ versions: request()?.versions ?? [], reason: 'web-1: it crashed' }] })
  net.isUp = false
  await end()
  app.draw = 0
  await pod.advance(24 * hour)
  t.strictSame(pod.files(), { a: 'a-1' })
  pod.vault.set('a', 'a-3')
  await pod.advance(15 * minute)
  t.strictSame(pod.files(), { a: 'a-3' })
})

void t.test('waiting: a newer version takes the place of what waits, with every later read', async (t) => {
  const { pod, states, request, grant } = await waitingPod(t, ['a', 'b'], { fullRefresh: 10 * minute })
  const first = request()
  await pod.advance(hour)
  t.equal(
    states().filter((one) => one.request && one.request.id !== first?.id).length,
    0,
    'full refreshes change nothing',
  )
  pod.vault.fault = () => ({ kind: 'unavailable' })
  await pod.advance(hour)
  t.equal(request()?.id, first?.id, 'nor does a vault that fails')
  pod.vault.fault = () => undefined
  await grant()
  t.strictSame(pod.files(), { a: 'a-2', b: 'b-1' }, 'what was read stays in memory')
})

void t.test('waiting: a volume that was changed is restored at once', async (t) => {
  const { pod, states, request, grant } = await waitingPod(t, ['a', 'b'])
  t.match(request(), { phase: 'waiting' })
  const path = join(pod.mount, pod.set ?? '', 'b')
  chmodSync(path, 0o644)
  writeFileSync(path, 'forged')
  await pod.advance(5 * minute)
  t.match(pod.events('volume-tampered'), [{ entries: ['b'] }])
  // Which values the changed file had is not known any more: the set is read again as a whole.
  t.strictSame(pod.files(), { a: 'a-2', b: 'b-1' })
  t.match(states().at(-1), { isUp: false, request: undefined })
  pod.vault.set('a', 'a-3')
  await pod.advance(5 * minute)
  t.strictSame(pod.files(), { a: 'a-2', b: 'b-1' }, 'the next set waits again')
  await grant()
  t.strictSame(pod.files(), { a: 'a-3', b: 'b-1' })
})

void t.test('waiting: a switch that fails gives the turn back, and the next poll requests another', async (t) => {
  const { pod, states, request, grant } = await servingPod(t)
  pod.stop()
  let isFull = true
  pod.wrapVolume = (volume) => {
    const switchTo = volume.switchTo.bind(volume)
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    return Object.assign(volume, {
      switchTo: (...args: Parameters<typeof switchTo>) => (isFull ? Promise.reject(full) : switchTo(...args)),
    })
  }
  await pod.start()
  pod.vault.set('a', 'a-2')
  await pod.advance(3 * minute)
  const first = request()
  await grant()
  t.equal(states().at(-1)?.request, undefined)
  t.match(pod.events('switch-failed'), [{ code: 'ENOSPC' }])
  t.match(pod.sidecar?.metrics(), /switches_total\{outcome="failed"\} 1/)
  await pod.advance(3 * minute)
  t.match(request(), { phase: 'waiting' })
  t.not(request()?.id, first?.id)
  isFull = false
  await grant()
  t.strictSame(pod.files(), { a: 'a-2' })
})

void t.test('waiting: templates wait too', async (t) => {
  const { pod, request, grant } = await waitingPod(t, ['a'], { templates: { 'app.ini': 'a={{ secrets["a"] }}' } })
  t.match(request(), { objects: 'secret a' })
  t.strictSame(pod.files(), { a: 'a-1', 'app.ini': 'a=a-1' })
  await grant()
  t.strictSame(pod.files(), { a: 'a-2', 'app.ini': 'a=a-2' })
})

void t.test('waiting: the role once takes no turns', async (t) => {
  const { pod } = await servingPod(t)
  pod.stop()
  pod.vault.set('a', 'a-2')
  await pod.start('once')
  await pod.advance(minute)
  t.strictSame(pod.files(), { a: 'a-2' })
  t.match(pod.end, { code: 0 })
})
