import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Readiness } from '../../../shared/settings/schema.ts'
import { minute, second, servingPod, turnPod, waitingPod } from './scene.ts'

const readiness: Readiness = {
  scheme: 'http',
  port: 8080,
  path: '/healthz',
  headers: [],
  period: 10 * second,
  timeout: second,
}

void t.test('end of a turn: an app that crashes three times has failed, and may still come up', async (t) => {
  const { pod, states, request, grant, answer, startApp, stopApp, phases } = await waitingPod(t)
  await grant()
  const id = request()?.id
  for (let crash = 1; crash <= 3; crash++) {
    t.match(request(), { phase: 'switched' }, `before crash ${crash}`)
    stopApp()
    await pod.advance(5 * second)
    startApp()
    await pod.advance(5 * second)
  }
  stopApp()
  await pod.advance(2 * second)
  const cause = 'three processes of container app ended within 10s after the signal SIGTERM'
  t.match(states().at(-1), { isUp: false, request: { id, phase: 'failed', cause } })
  t.match(pod.status().turn, { state: 'failed', reason: cause })
  t.match(pod.events('turn').at(-1), { level: 'warn', state: 'failed', msg: new RegExp(cause) })
  const halts = [{ versions: request()?.versions ?? [], reason: 'web-0: it crashes' }]
  await answer('ended', { halts })
  t.match(states().at(-1), { request: undefined, halts }, 'the coordinator knows')
  startApp()
  await pod.advance(12 * second)
  t.match(states().at(-1), { isUp: true, request: { id, phase: 'done' } }, 'the app came up: others may try')
  await answer('ended', { halts: [] })
  t.match(states().at(-1), { request: undefined, halts: [] })
  t.strictSame(phases().slice(3), ['switched', 'failed', 'none', 'done', 'none'])
})

void t.test('end of a turn: processes that end at once are counted too', async (t) => {
  const { pod, request, grant, startApp, stopApp } = await waitingPod(t)
  await grant()
  for (let crash = 1; crash <= 3; crash++) {
    t.match(request(), { phase: 'switched' }, `before crash ${crash}`)
    startApp()
    stopApp()
    await pod.advance(20 * second)
  }
  t.match(request(), { phase: 'failed', cause: /^three processes of container app ended/ })
})

void t.test('end of a turn: a process that is only replaced after a while has not crashed', async (t) => {
  const { pod, request, grant, startApp } = await waitingPod(t, ['a'], { turns: { readiness } })
  await grant()
  for (let restart = 1; restart <= 5; restart++) {
    startApp()
    await pod.advance(12 * second)
  }
  t.not(request()?.phase, 'failed')
})

void t.test(
  'end of a turn: the process that gets the signal does not count as up, however long it takes to end',
  async (t) => {
    const { pod, request, grant, startApp } = await waitingPod(t)
    await grant()
    await pod.advance(5 * minute)
    t.match(request(), { phase: 'switched' })
    startApp()
    await pod.advance(9 * second)
    t.match(request(), { phase: 'switched' })
    await pod.advance(3 * second)
    t.match(request(), { phase: 'done' })
  },
)

void t.test('end of a turn: the same process is up after a signal that reloads', async (t) => {
  const notify = { signal: { name: 'SIGHUP', container: 'app' } as const, splay: 0 }
  const { pod, states, request, grant } = await waitingPod(t, ['a'], { notify })
  await grant()
  t.match(states().at(-1), { isUp: false, request: { phase: 'switched' } })
  await pod.advance(9 * second)
  t.match(request(), { phase: 'switched' })
  await pod.advance(3 * second)
  t.match(states().at(-1), { isUp: true, request: { phase: 'done' } })
})

void t.test('end of a turn: an app that is not ready in time has failed', async (t) => {
  const { pod, app, states, request, grant, startApp } = await waitingPod(t, ['a'], { turns: { readiness } })
  app.answer = { isReady: false, detail: 'GET http://:8080/healthz answered 503' }
  await grant()
  startApp()
  await pod.advance(10 * minute - second)
  t.match(request(), { phase: 'switched' })
  await pod.advance(2 * second)
  const cause = 'not ready within 10m: GET http://:8080/healthz answered 503'
  t.match(states().at(-1), { isUp: false, request: { phase: 'failed', cause } })
  app.answer = { isReady: true, detail: '' }
  await pod.advance(30 * second)
  t.match(states().at(-1), { isUp: true, request: { phase: 'done' } })
  t.equal(request()?.cause, undefined)
})

void t.test(
  'end of a turn: readiness counts from the new process on, and endpoints have a period and 2 s to follow',
  async (t) => {
    const { pod, app, request, grant, startApp } = await waitingPod(t, ['a'], {
      turns: { readiness, minReady: second },
    })
    await grant()
    // The old process still answers.
    await pod.advance(30 * second)
    startApp()
    await pod.advance(11 * second)
    t.match(request(), { phase: 'switched' })
    await pod.advance(3 * second)
    t.match(request(), { phase: 'done' })
    const { asked } = app
    await pod.advance(100 * second)
    t.equal(app.asked - asked, 10, 'it is asked every period')
  },
)

void t.test(
  'end of a turn: it is not known how it ended if no process was seen, or the app was not notified',
  async (t) => {
    await t.test('end of a turn: no process', async (t) => {
      const { pod, request, grant, stopApp } = await waitingPod(t)
      await grant()
      stopApp()
      await pod.advance(20 * minute)
      t.match(request(), { phase: 'switched' })
    })
    await t.test('end of a turn: not notified', async (t) => {
      const { pod, states, grant, startApp } = await waitingPod(t)
      pod.appListens = false
      await grant()
      startApp()
      await pod.advance(20 * minute)
      t.match(states().at(-1), { isUp: false, request: { phase: 'switched' } })
      pod.appListens = true
      await pod.advance(3 * second)
      startApp()
      await pod.advance(12 * second)
      t.match(states().at(-1), { isUp: true, request: { phase: 'done' } })
    })
  },
)

void t.test('end of a turn: with neither signal nor URL, the app is up when it is ready', async (t) => {
  const { pod, app, request, grant } = await waitingPod(t, ['a'], { notify: { splay: 0 }, turns: { readiness } })
  app.answer = { isReady: false, detail: 'answered 503' }
  await grant()
  await pod.advance(minute)
  t.match(request(), { phase: 'switched' })
  app.answer = { isReady: true, detail: 'answered 200' }
  await pod.advance(25 * second)
  t.match(request(), { phase: 'done' })
})

void t.test('end of a turn: a sidecar that is killed while it holds a turn finishes it', async (t) => {
  const { pod, states, request, answer, grant, startApp } = await waitingPod(t)
  await grant()
  const held = request()
  pod.stop()
  await pod.advance(minute)
  await pod.start()
  await pod.advance(5 * second)
  t.match(request(), { ...held, heldMs: Number }, 'the same request')
  t.ok((request()?.heldMs ?? 0) >= minute, `held since the switch: ${request()?.heldMs}`)
  t.equal(states().at(-1)?.isUp, false, 'the process from before the switch does not count')
  await pod.advance(minute)
  t.match(request(), { phase: 'switched' })
  startApp()
  await pod.advance(12 * second)
  t.match(request(), { id: held?.id, phase: 'done' })
  pod.stop()
  await pod.start()
  await pod.advance(5 * second)
  t.match(request(), { id: held?.id, phase: 'done' }, 'the end is reported until the coordinator knows it')
  await answer('ended')
  pod.stop()
  await pod.start()
  await pod.advance(5 * second)
  t.equal(states().at(-1)?.request, undefined)
})

void t.test(
  'end of a turn: a sidecar that comes back after the timeout looks before it says that the app failed',
  async (t) => {
    const { pod, request, grant, startApp } = await waitingPod(t, ['a'], { turns: { readiness } })
    await grant()
    pod.stop()
    startApp()
    await pod.advance(30 * minute)
    await pod.start()
    await pod.advance(10 * second)
    t.match(request(), { phase: 'switched' })
    await pod.advance(20 * second)
    t.match(request(), { phase: 'done' })
  },
)

void t.test('end of a turn: a newer set replaces a turn that is held, so that it can heal the pod', async (t) => {
  const { pod, states, request, grant, stopApp, startApp } = await waitingPod(t)
  await grant()
  const first = request()
  stopApp()
  pod.vault.set('a', 'a-3')
  await pod.advance(3 * minute)
  t.match(states().at(-1), { isUp: false, request: { phase: 'waiting', take: 0 } })
  t.not(request()?.id, first?.id)
  await grant()
  t.strictSame(pod.files(), { a: 'a-3' })
  startApp()
  await pod.advance(12 * second)
  t.match(request(), { phase: 'done' })
})

void t.test(
  'end of a turn: a pod that is granted a turn because it is down, and comes up before, waits like the others',
  async (t) => {
    const { pod, states, request, answer, grant, startApp, stopApp } = await servingPod(t)
    stopApp()
    pod.vault.set('a', 'a-2')
    await pod.advance(3 * minute)
    t.match(states().at(-1), { isUp: false, request: { phase: 'waiting' } })
    startApp()
    await pod.advance(8 * second)
    await answer('granted')
    await pod.advance(4 * second)
    t.match(states().at(-1), { isUp: true, request: { phase: 'taken' } })
    await answer('acknowledged', { take: 1 })
    t.match(request(), { phase: 'waiting' })
    t.strictSame(pod.files(), { a: 'a-1' })
    await grant()
    t.strictSame(pod.files(), { a: 'a-2' })
  },
)

void t.test('end of a turn: what is forged in the volume is not believed', async (t) => {
  const { pod, states, request } = await turnPod(t)
  await pod.start()
  for (const text of ['', '[]', 'null', '{"halts":[{"versions":7,"reason":1}],"end":{"id":1}}', 'x'.repeat(100_000)]) {
    pod.stop()
    writeFileSync(join(pod.mount, '..turns'), text)
    await pod.start()
    await pod.advance(30 * second)
    t.match(states().at(-1), { halts: [] })
    t.equal(request(), undefined)
  }
})
