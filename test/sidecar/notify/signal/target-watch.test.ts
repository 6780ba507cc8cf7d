import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createProcFolder } from '../../../../sidecar/notify/signal/procfs.ts'
import { createTargetWatch, type PermissionReport } from '../../../../sidecar/notify/signal/target-watch.ts'
import { fakeTiming } from '../fake-timing.ts'
import { writePod, writeProcess, writeUptime } from './proc-tree.ts'
import { app, hup, fixture } from '../fixture.ts'

void t.test('target watch: the permission is tested as soon as the target runs, long before a change', async (t) => {
  const { seen, notifier, timing } = fixture(t, [app])
  await timing.pass(0)
  t.match(notifier.status().permission, { outcome: 'permitted', detail: 'process 20 (app) can be signaled' })
  t.match(seen.permissions, [{ outcome: 'permitted', at: timing.now() }])
  t.strictSame(seen.sent, [], 'nothing but signal 0')
})

void t.test('target watch: a target that starts later is found', async (t) => {
  const { seen, folder, timing } = fixture(t, [])
  await timing.pass(30_000)
  t.match(seen.permissions, [{ outcome: 'no-such-process', detail: 'container "app" is not running' }], 'reported once')
  writeProcess(folder, app)
  await timing.pass(1_000)
  t.match(seen.permissions.slice(1), [{ outcome: 'permitted' }])
})

void t.test('target watch: a wrong user ID is reported within seconds, and so is its fix', async (t) => {
  const { seen, timing, refused, notifier } = fixture(t, [{ ...app, uid: 1000 }])
  refused[20] = 'EPERM'
  await timing.pass(10_000)
  t.match(seen.permissions, [{ outcome: 'not-permitted', detail: /run-as-user: "1000"/ }])
  t.match(seen.log, [{ level: 'warn', message: /run-as-user: "1000"/ }])
  delete refused[20]
  await timing.pass(2_000)
  t.match(notifier.status().permission, { outcome: 'permitted' }, 'as when the entry process has given up being root')
})

void t.test('target watch: the permission is tested again after a restart', async (t) => {
  const { seen, folder, timing } = fixture(t, [app])
  await timing.pass(2_000)
  rmSync(join(folder, '20'), { recursive: true })
  await timing.pass(2_000)
  writeProcess(folder, { ...app, pid: 40, instance: 'next' })
  await timing.pass(2_000)
  t.strictSame(
    seen.permissions.map(({ detail }) => detail),
    ['process 20 (app) can be signaled', 'container "app" is not running', 'process 40 (app) can be signaled'],
  )
})

void t.test('target watch: a PID that was reused is another process', async (t) => {
  const { seen, folder, timing, notifier } = fixture(t, [app])
  await timing.pass(2_000)
  writeProcess(folder, { ...app, start: 5_000_000, instance: 'next', uid: 1001 })
  await timing.pass(2_000)
  t.match(notifier.status().targets, [{ pid: 20, uid: 1001 }])
  t.equal(seen.permissions.length, 1, 'the words for it are the same')
})

void t.test('target watch: while the target lives, other processes are not examined', async (t) => {
  const { seen, folder, timing } = fixture(t, [app])
  await timing.pass(0)
  writeProcess(folder, { ...app, pid: 15, start: 1 })
  await timing.pass(60_000)
  t.equal(seen.permissions.length, 1)
  t.equal(seen.tries, 31, 'one signal 0 each two seconds')
})

void t.test('target watch: a process without a handler is reported after its warm-up', async (t) => {
  const { seen, folder, timing } = fixture(t, [{ ...app, caught: [], start: 100_000 }])
  writeUptime(folder, 1_005)
  await timing.pass(2_000)
  t.equal(seen.permissions.at(-1)?.detail, 'process 20 (app) can be signaled')
  writeUptime(folder, 1_011)
  await timing.pass(2_000)
  t.match(seen.permissions.at(-1), {
    outcome: 'permitted',
    detail: /has no handler for SIGHUP, so the signal would terminate it$/,
  })

  const ignoring = fixture(t, [{ ...app, caught: [], ignored: ['SIGHUP'] }])
  await ignoring.timing.pass(0)
  t.match(ignoring.seen.permissions, [{ outcome: 'permitted', detail: /ignores SIGHUP$/ }])

  const ended = fixture(t, [{ ...app, caught: [] }], { signal: { ...hup, name: 'SIGTERM' } })
  await ended.timing.pass(0)
  t.equal(ended.seen.permissions[0]?.detail, 'process 20 (app) can be signaled', 'that is what SIGTERM is for')
})

void t.test(
  'target watch: a process name that matches nothing is reported once the app has had time to start',
  async (t) => {
    const signal = { ...hup, process: 'server' }
    const { seen, folder, timing } = fixture(t, [{ ...app, start: 100_000 }], { signal })
    writeUptime(folder, 1_029)
    await timing.pass(10_000)
    t.match(seen.log, [{ level: 'info', message: 'no process "server" runs in container "app", only: app' }])
    writeUptime(folder, 1_030)
    await timing.pass(60_000)
    t.match(seen.log.slice(1), [
      { level: 'warn', message: /; the container has run for 30 s: check .*signal-process$/ },
    ])
    t.equal(seen.log.length, 2, 'once')
    writeProcess(folder, { ...app, pid: 21, comm: 'server', ppid: 20 })
    await timing.pass(1_000)
    t.match(seen.log.slice(2), [{ level: 'info', message: 'process 21 (server) can be signaled' }])
  },
)

void t.test('target watch: a process that was chosen by name and changed it is no longer the target', async (t) => {
  const signal = { ...hup, process: 'server' }
  const wrapper = { ...app, pid: 21, comm: 'server', ppid: 20, argv: ['/bin/sh'] }
  const { seen, folder, timing, notifier } = fixture(t, [app, wrapper], { signal })
  await timing.pass(2_000)
  writeProcess(folder, { ...wrapper, comm: 'java' })
  await timing.pass(2_000)
  t.match(seen.permissions, [{ outcome: 'permitted' }, { outcome: 'no-such-process' }])
  t.strictSame(notifier.status().targets, [])
  writeProcess(folder, { ...wrapper, comm: 'MainThread', argv: ['/opt/server'] })
  await timing.pass(60_000)
  t.match(seen.permissions.slice(2), [{ outcome: 'permitted', detail: 'process 21 (MainThread) can be signaled' }])
})

void t.test('target watch: a failed check is followed by the next one', async (t) => {
  const timing = fakeTiming()
  const proc = createProcFolder(writePod(t.testdir(), [app]))
  const list = () => (looks++ === 0 ? Promise.reject(new Error('odd')) : proc.list('all'))
  let looks = 0
  const told: PermissionReport[] = []
  const onPermission = (report: PermissionReport) => told.push(report)
  const watch = createTargetWatch({ ...timing, signal: hup, proc: { ...proc, list }, kill: () => {}, onPermission })
  t.teardown(watch.stop)
  await timing.pass(5_000)
  t.match(told, [{ outcome: 'not-identifiable', detail: 'odd' }, { outcome: 'permitted' }])
})

void t.test('target watch: ambiguous processes are reported', async (t) => {
  const { seen, notifier, timing } = fixture(t, [{ pid: 20, comm: 'app' }])
  await timing.pass(5_000)
  t.match(seen.permissions, [{ outcome: 'not-identifiable' }])
  t.match(seen.log, [{ level: 'warn' }])
  t.match(notifier.status(), { targets: [], permission: { outcome: 'not-identifiable' } })
})

void t.test('target watch: the status shows the current targets', async (t) => {
  const entry = { ...app, comm: 'sh', start: 9_000_000 }
  const { notifier, timing, folder } = fixture(t, [entry])
  t.strictSame(notifier.status().targets, [])
  await timing.pass(0)
  const since = timing.now() - (100_000 - 90_000) * 1000
  t.strictSame(notifier.status().targets, [{ container: 'app', pid: 20, name: 'sh', uid: 1000, since }])
  writeProcess(folder, { ...entry, comm: 'server', uid: 999 })
  t.match(notifier.status().targets, [{ pid: 20, name: 'server', uid: 999 }], 'the shell has become the server')
})

void t.test('target watch: without a signal nothing is watched', async (t) => {
  const { seen, notifier, timing } = fixture(t, [app], { url: 'http://127.0.0.1:9/' })
  await timing.pass(10_000)
  t.equal(seen.tries, 0)
  t.equal(timing.timers(), 0)
  t.strictSame(notifier.status(), { channels: {}, targets: [] })
})
