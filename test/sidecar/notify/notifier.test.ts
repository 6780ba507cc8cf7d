import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { drawSplay } from '../../../sidecar/notify/splay.ts'
import { writeProcess, writeUptime } from './signal/proc-tree.ts'
import { app, change, hup, listen, fixture } from './fixture.ts'
import { until } from '../../support/until.ts'

void t.test('notifier: one change causes one signal', async (t) => {
  const { seen, notifier, timing } = fixture(t, [app])
  notifier.notify(change('a', timing.now()))
  await timing.pass(3_600_000)
  t.strictSame(seen.sent, [[20, 'SIGHUP']])
  t.strictSame(seen.delivered, ['a'])
  t.match(seen.outcomes, [
    { channel: 'signal', outcome: 'delivered', id: 'a', attempts: 1, detail: 'process 20 (app) received SIGHUP' },
  ])
  t.match(notifier.status(), { pending: undefined, channels: { signal: { outcome: 'delivered', id: 'a' } } })
})

void t.test('notifier: a delivery names the process by its current name', async (t) => {
  const { seen, folder, notifier, timing } = fixture(t, [{ ...app, comm: 'sh' }])
  await timing.pass(2_000)
  writeProcess(folder, { ...app, comm: 'server' })
  notifier.notify(change('a', timing.now()))
  await timing.pass(0)
  t.match(seen.outcomes, [{ detail: 'process 20 (server) received SIGHUP' }])
})

void t.test('notifier: without a change no signal is sent', async (t) => {
  const { seen, timing } = fixture(t, [app])
  await timing.pass(3_600_000)
  t.strictSame(seen.sent, [])
  t.strictSame(seen.delivered, [])
})

void t.test('notifier: a splay delays the signal', async (t) => {
  const splay = 300_000
  void t.test('notifier: the signal is not sent before it is due', async (t) => {
    const { seen, notifier, timing } = fixture(t, [app], { signal: hup, splay })
    const dueAt = timing.now() + drawSplay(splay, () => 0.4)
    notifier.notify(change('a', timing.now(), dueAt))
    await timing.pass(119_999)
    t.strictSame(seen.sent, [])
    t.match(notifier.status().pending, { id: 'a', dueAt, waitingFor: ['signal'] })
    await timing.pass(1)
    t.strictSame(seen.sent, [[20, 'SIGHUP']])
  })
  void t.test('notifier: the deadline survives a restart of the sidecar', async (t) => {
    const { seen, notifier, timing } = fixture(t, [app], { signal: hup, splay })
    notifier.notify(change('a', timing.now() - 200_000, timing.now() + 10_000))
    await timing.pass(9_999)
    t.strictSame(seen.sent, [])
    await timing.pass(1)
    t.strictSame(seen.sent, [[20, 'SIGHUP']])
  })
  void t.test('notifier: a deadline that passed during a restart is due at once', async (t) => {
    const { seen, notifier, timing } = fixture(t, [app], { signal: hup, splay })
    notifier.notify(change('a', timing.now() - 900_000, timing.now() - 800_000))
    await timing.pass(0)
    t.strictSame(seen.sent, [[20, 'SIGHUP']])
  })
  void t.test('notifier: the delay never exceeds the splay, even if the clock was set back', async (t) => {
    const { seen, notifier, timing } = fixture(t, [app], { signal: hup, splay })
    notifier.notify(change('a', timing.now() + 86_400_000, timing.now() + 86_500_000))
    await timing.pass(splay)
    t.strictSame(seen.sent, [[20, 'SIGHUP']])
  })
  void t.test('notifier: changes that keep coming do not postpone the signal, and cause only one', async (t) => {
    const { seen, notifier, timing } = fixture(t, [app], { signal: hup, splay })
    const start = timing.now()
    for (let i = 0; i < 10; i++) {
      notifier.notify(change(`r${i}`, timing.now(), timing.now() + 250_000))
      await timing.pass(20_000)
    }
    t.strictSame(seen.sent, [])
    await timing.pass(start + 250_000 - timing.now())
    t.strictSame(seen.sent, [[20, 'SIGHUP']])
    t.strictSame(seen.delivered, ['r9'])
  })
})

void t.test('notifier: ten rotations while the app is down cause one signal when it is back', async (t) => {
  const { seen, folder, notifier, timing } = fixture(t, [])
  for (let i = 0; i < 10; i++) {
    notifier.notify(change(`r${i}`, timing.now()))
    await timing.pass(120_000)
  }
  t.strictSame(seen.sent, [])
  t.equal(seen.outcomes.length, 10, 'each is reported as undelivered once, however often it was tried')
  t.match(notifier.status(), {
    pending: { id: 'r9', waitingFor: ['signal'] },
    channels: { signal: { outcome: 'no-such-process' } },
  })
  writeProcess(folder, app)
  await timing.pass(1_000)
  t.strictSame(seen.sent, [[20, 'SIGHUP']])
  t.strictSame(seen.delivered, ['r9'])
})

void t.test('notifier: a container that restarts during the rotation gets the signal', async (t) => {
  const { seen, folder, notifier, timing } = fixture(t, [app])
  await timing.pass(2_000)
  rmSync(join(folder, '20'), { recursive: true })
  notifier.notify(change('a', timing.now()))
  await timing.pass(5_000)
  const next = { ...app, pid: 41, instance: 'next', start: 100_000 }
  writeProcess(folder, { ...next, caught: [] })
  writeUptime(folder, 1_000.5)
  await timing.pass(5_000)
  t.strictSame(seen.sent, [], 'no signal that would end it before it listens')
  t.match(notifier.status().channels.signal, {
    outcome: 'no-such-process',
    detail: 'process 41 (app) has just started',
  })
  writeProcess(folder, next)
  writeUptime(folder, 1_002)
  await timing.pass(1_000)
  t.strictSame(seen.sent, [[41, 'SIGHUP']])
})

void t.test(
  'notifier: a signal that is not permitted is reported once, and sent as soon as it is permitted',
  async (t) => {
    const { seen, refused, notifier, timing } = fixture(t, [app])
    refused[20] = 'EPERM'
    notifier.notify(change('a', timing.now()))
    await timing.pass(605_000)
    t.match(seen.outcomes, [{ outcome: 'not-permitted', attempts: 1, detail: /run-as-user/ }])
    t.ok((notifier.status().channels.signal?.attempts ?? 0) > 20, 'and tried all the time')
    delete refused[20]
    await timing.pass(2_000)
    t.strictSame(seen.sent, [[20, 'SIGHUP']], 'not only after the half minute between the tries')
    t.strictSame(seen.delivered, ['a'])
  },
)

void t.test('notifier: each of several processes gets the signal once', async (t) => {
  const twins = [21, 22].map((pid) => ({ ...app, pid, comm: 'twin', ppid: 20 }))
  const { seen, refused, notifier, timing } = fixture(t, [app, ...twins], { signal: { ...hup, process: 'twin' } })
  refused[22] = 'EPERM'
  notifier.notify(change('a', timing.now()))
  await timing.pass(120_000)
  t.strictSame(seen.sent, [[21, 'SIGHUP']])
  t.strictSame(seen.delivered, [], 'it is not done')
  delete refused[22]
  await timing.pass(2_000)
  t.strictSame(seen.sent, [
    [21, 'SIGHUP'],
    [22, 'SIGHUP'],
  ])
  t.strictSame(seen.delivered, ['a'])
  notifier.notify(change('b', timing.now()))
  await timing.pass(0)
  t.strictSame(
    seen.sent.slice(2),
    [
      [21, 'SIGHUP'],
      [22, 'SIGHUP'],
    ],
    'and once more for the next change',
  )
})

void t.test('notifier: a process that refused the signal and then ends needs none', async (t) => {
  const twins = [21, 22].map((pid) => ({ ...app, pid, comm: 'twin', ppid: 20 }))
  const { seen, folder, refused, notifier, timing } = fixture(t, [app, ...twins], {
    signal: { ...hup, process: 'twin' },
  })
  refused[22] = 'EPERM'
  notifier.notify(change('a', timing.now()))
  await timing.pass(1_000)
  rmSync(join(folder, '22'), { recursive: true })
  await timing.pass(60_000)
  t.strictSame(seen.sent, [[21, 'SIGHUP']])
  t.strictSame(seen.delivered, ['a'])
})

void t.test('notifier: a process that has just started does not delay the signal to others', async (t) => {
  const old = { ...app, pid: 21, comm: 'twin', ppid: 20 }
  const young = { ...old, pid: 22, start: 9_999_950, caught: [] }
  const { seen, folder, notifier, timing } = fixture(t, [app, old, young], { signal: { ...hup, process: 'twin' } })
  notifier.notify(change('a', timing.now()))
  await timing.pass(5_000)
  t.strictSame(seen.sent, [[21, 'SIGHUP']])
  t.match(seen.outcomes, [{ outcome: 'no-such-process', detail: 'process 22 (twin) has just started' }])
  t.strictSame(seen.delivered, [])
  writeUptime(folder, 100_010)
  await timing.pass(1_000)
  t.strictSame(seen.sent, [
    [21, 'SIGHUP'],
    [22, 'SIGHUP'],
  ])
  t.strictSame(seen.delivered, ['a'])
})

void t.test('notifier: notify-url alone delivers the change', async (t) => {
  const { url, told } = await listen(t)
  const { seen, notifier, timing } = fixture(t, [], { url })
  notifier.notify(change('a', timing.now()))
  await timing.pass(0)
  await until('the app was notified', () => seen.delivered.length > 0)
  t.match(told, [{ id: 'a', changed: [{ type: 'secret', name: 'db', version: 'a', paths: ['db'] }] }])
  t.match(seen.outcomes, [{ channel: 'http', outcome: 'delivered', id: 'a' }])
})

void t.test('notifier: signal and URL deliver independently, and the marker is cleared after both', async (t) => {
  const reload = await listen(t)
  const { seen, notifier, timing } = fixture(t, [app], { signal: hup, url: reload.url })
  reload.status = 503
  notifier.notify(change('a', timing.now()))
  await timing.pass(0)
  await until('a refusal', () => seen.outcomes.some(({ channel }) => channel === 'http'))
  t.strictSame(seen.sent, [[20, 'SIGHUP']])
  t.match(notifier.status(), { pending: { id: 'a', waitingFor: ['http'] } })
  t.strictSame(seen.delivered, [])

  reload.status = 200
  await timing.pass(30_000)
  await until('the app was notified', () => seen.delivered.length > 0)
  t.strictSame(seen.sent, [[20, 'SIGHUP']], 'and no second signal')
  t.equal(reload.told.length, 2)
})

void t.test('notifier: a change while one channel is behind is sent by both', async (t) => {
  const reload = await listen(t)
  const { seen, notifier, timing } = fixture(t, [app], { signal: hup, url: reload.url })
  reload.status = 503
  notifier.notify(change('a', timing.now()))
  await timing.pass(0)
  await until('a refusal', () => reload.told.length === 1 && seen.outcomes.length === 2)
  reload.status = 200
  notifier.notify({
    ...change('b', timing.now()),
    changed: [{ type: 'cert', name: 'tls', version: '9', paths: ['tls'] }],
  })
  await timing.pass(0)
  await until('the app was notified', () => seen.delivered.length > 0)
  t.strictSame(seen.sent, [
    [20, 'SIGHUP'],
    [20, 'SIGHUP'],
  ])
  t.strictSame(seen.delivered, ['b'])
  t.strictSame(
    reload.told.map(({ id, changed }) => [id, changed.map(({ version }) => version)]),
    [
      ['a', ['a']],
      ['b', ['a', '9']],
    ],
    'the URL hears of both changes at last',
  )
})

void t.test('notifier: without a signal or URL the marker is cleared', async (t) => {
  const { seen, notifier, timing } = fixture(t, [app], {})
  notifier.notify(change('a', timing.now()))
  await timing.pass(0)
  t.strictSame(seen.delivered, ['a'])
  t.equal(notifier.status().pending, undefined)
})

void t.test('notifier: a marker that cannot be cleared is an error in the log', async (t) => {
  const { seen, notifier, timing } = fixture(t, [app], {
    signal: hup,
    onDelivered: async () => {
      throw new Error('ENOSPC')
    },
  })
  notifier.notify(change('a', timing.now()))
  await timing.pass(0)
  t.match(seen.log.at(-1), { level: 'error', message: /could not clear/ })
  notifier.notify(change('b', timing.now()))
  await timing.pass(0)
  t.equal(seen.sent.length, 2, 'the next change is sent nevertheless')
})

void t.test('notifier: a closed notifier does nothing more', async (t) => {
  const { seen, notifier, timing } = fixture(t, [], { signal: hup, url: 'http://127.0.0.1:9/' })
  notifier.notify(change('a', timing.now()))
  await timing.pass(5_000)
  notifier.close()
  t.equal(timing.timers(), 0)
  await timing.pass(0)
  t.equal(timing.timers(), 0, 'nor does a look that was under way go on')
  const before = seen.outcomes.length
  await timing.pass(600_000)
  t.equal(seen.outcomes.length, before)
})
