import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openProc } from '../../../sidecar/notify/processes.ts'
import { createWatch, type PermissionReport } from '../../../sidecar/notify/watch.ts'
import { fakeTiming } from './fake-timing.ts'
import { writePod, writeProcess, writeUptime } from './proc-tree.ts'
import { app, hup, stage } from './stage.ts'

void t.test('the permission is tried as soon as the target is there, long before a change', async (t) => {
  const { seen, notifier, timing } = stage(t, [app])
  await timing.pass(0)
  t.match(notifier.status().permission, { outcome: 'permitted', detail: 'process 20 (app) may be signalled' })
  t.match(seen.permissions, [{ outcome: 'permitted', at: timing.now() }])
  t.strictSame(seen.sent, [], 'nothing but signal 0')
})

void t.test('a target that comes later', async (t) => {
  const { seen, folder, timing } = stage(t, [])
  await timing.pass(30_000)
  t.match(seen.permissions, [{ outcome: 'no-such-process', detail: 'container "app" does not run' }], 'told once')
  writeProcess(folder, app)
  await timing.pass(1_000)
  t.match(seen.permissions.slice(1), [{ outcome: 'permitted' }])
})

void t.test('a wrong user id shows within seconds, and so does the cure', async (t) => {
  const { seen, timing, refused, notifier } = stage(t, [{ ...app, uid: 1000 }])
  refused[20] = 'EPERM'
  await timing.pass(10_000)
  t.match(seen.permissions, [{ outcome: 'not-permitted', detail: /run-as-user: "1000"/ }])
  t.match(seen.log, [{ level: 'warn', message: /run-as-user: "1000"/ }])
  delete refused[20]
  await timing.pass(2_000)
  t.match(notifier.status().permission, { outcome: 'permitted' }, 'as when the entry process has given up being root')
})

void t.test('a restart is tried anew', async (t) => {
  const { seen, folder, timing } = stage(t, [app])
  await timing.pass(2_000)
  rmSync(join(folder, '20'), { recursive: true })
  await timing.pass(2_000)
  writeProcess(folder, { ...app, pid: 40, instance: 'next' })
  await timing.pass(2_000)
  t.strictSame(
    seen.permissions.map(({ detail }) => detail),
    ['process 20 (app) may be signalled', 'container "app" does not run', 'process 40 (app) may be signalled'],
  )
})

void t.test('a pid that was given again is another process', async (t) => {
  const { seen, folder, timing, notifier } = stage(t, [app])
  await timing.pass(2_000)
  writeProcess(folder, { ...app, start: 5_000_000, instance: 'next', uid: 1001 })
  await timing.pass(2_000)
  t.match(notifier.status().targets, [{ pid: 20, uid: 1001 }])
  t.equal(seen.permissions.length, 1, 'the words for it are the same')
})

void t.test('while the target lives, other processes are not looked at', async (t) => {
  const { seen, folder, timing } = stage(t, [app])
  await timing.pass(0)
  writeProcess(folder, { ...app, pid: 15, start: 1 })
  await timing.pass(60_000)
  t.equal(seen.permissions.length, 1)
  t.equal(seen.tries, 31, 'one signal 0 each two seconds')
})

void t.test('no handler: the signal would end it, which is told once it had the time to listen', async (t) => {
  const { seen, folder, timing } = stage(t, [{ ...app, caught: [], start: 100_000 }])
  writeUptime(folder, 1_005)
  await timing.pass(2_000)
  t.equal(seen.permissions.at(-1)?.detail, 'process 20 (app) may be signalled')
  writeUptime(folder, 1_011)
  await timing.pass(2_000)
  t.match(seen.permissions.at(-1), { outcome: 'permitted', detail: /has no handler for SIGHUP, which would end it$/ })

  const ignoring = stage(t, [{ ...app, caught: [], ignored: ['SIGHUP'] }])
  await ignoring.timing.pass(0)
  t.match(ignoring.seen.permissions, [{ outcome: 'permitted', detail: /ignores SIGHUP$/ }])

  const ended = stage(t, [{ ...app, caught: [] }], { signal: { ...hup, name: 'SIGTERM' } })
  await ended.timing.pass(0)
  t.equal(ended.seen.permissions[0]?.detail, 'process 20 (app) may be signalled', 'that is what SIGTERM is for')
})

void t.test('a name that nothing has: no news at the start, a warning once it might have come', async (t) => {
  const signal = { ...hup, process: 'server' }
  const { seen, folder, timing } = stage(t, [{ ...app, start: 100_000 }], { signal })
  writeUptime(folder, 1_029)
  await timing.pass(10_000)
  t.match(seen.log, [{ level: 'info', message: 'no process "server" runs in container "app"; these do: app' }])
  writeUptime(folder, 1_030)
  await timing.pass(60_000)
  t.match(seen.log.slice(1), [{ level: 'warn', message: /; it has run for 30 s: check .*signal-process$/ }])
  t.equal(seen.log.length, 2, 'once')
  writeProcess(folder, { ...app, pid: 21, comm: 'server', ppid: 20 })
  await timing.pass(1_000)
  t.match(seen.log.slice(2), [{ level: 'info', message: 'process 21 (server) may be signalled' }])
})

void t.test('a process that was chosen by its name and has another now', async (t) => {
  const signal = { ...hup, process: 'server' }
  const wrapper = { ...app, pid: 21, comm: 'server', ppid: 20, argv: ['/bin/sh'] }
  const { seen, folder, timing, notifier } = stage(t, [app, wrapper], { signal })
  await timing.pass(2_000)
  writeProcess(folder, { ...wrapper, comm: 'java' })
  await timing.pass(2_000)
  t.match(seen.permissions, [{ outcome: 'permitted' }, { outcome: 'no-such-process' }])
  t.strictSame(notifier.status().targets, [])
  writeProcess(folder, { ...wrapper, comm: 'MainThread', argv: ['/opt/server'] })
  await timing.pass(60_000)
  t.match(seen.permissions.slice(2), [{ outcome: 'permitted', detail: 'process 21 (MainThread) may be signalled' }])
})

void t.test('a look that fails is followed by the next', async (t) => {
  const timing = fakeTiming()
  const proc = openProc(writePod(t.testdir(), [app]))
  const list = () => (looks++ === 0 ? Promise.reject(new Error('odd')) : proc.list('all'))
  let looks = 0
  const told: PermissionReport[] = []
  const onPermission = (report: PermissionReport) => told.push(report)
  const watch = createWatch({ ...timing, target: hup, proc: { ...proc, list }, kill: () => {}, onPermission })
  t.teardown(watch.stop)
  await timing.pass(5_000)
  t.match(told, [{ outcome: 'not-identifiable', detail: 'odd' }, { outcome: 'permitted' }])
})

void t.test('what cannot be told apart', async (t) => {
  const { seen, notifier, timing } = stage(t, [{ pid: 20, comm: 'app' }])
  await timing.pass(5_000)
  t.match(seen.permissions, [{ outcome: 'not-identifiable' }])
  t.match(seen.log, [{ level: 'warn' }])
  t.match(notifier.status(), { targets: [], permission: { outcome: 'not-identifiable' } })
})

void t.test('the targets of the status', async (t) => {
  const entry = { ...app, comm: 'sh', start: 9_000_000 }
  const { notifier, timing, folder } = stage(t, [entry])
  t.strictSame(notifier.status().targets, [])
  await timing.pass(0)
  const since = timing.now() - (100_000 - 90_000) * 1000
  t.strictSame(notifier.status().targets, [{ container: 'app', pid: 20, name: 'sh', uid: 1000, since }])
  writeProcess(folder, { ...entry, comm: 'server', uid: 999 })
  t.match(notifier.status().targets, [{ pid: 20, name: 'server', uid: 999 }], 'the shell has become the server')
})

void t.test('without a signal nothing is watched', async (t) => {
  const { seen, notifier, timing } = stage(t, [app], { url: 'http://127.0.0.1:9/' })
  await timing.pass(10_000)
  t.equal(seen.tries, 0)
  t.equal(timing.timers(), 0)
  t.strictSame(notifier.status(), { channels: {}, targets: [] })
})
