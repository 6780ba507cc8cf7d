import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createProcFolder } from '../../../../sidecar/notify/signal/procfs.ts'
import { chooseTarget, type Entry } from '../../../../sidecar/notify/signal/target.ts'
import { pause, sidecar, writePod, writeProcess, writeProcTree } from './proc-tree.ts'
import { app, choose, exec, nginx, pidsOf } from './choose.ts'

void t.test('signal target: without a shared process namespace the message says so', async (t) => {
  const alone = writeProcTree(join(t.testdir(), 'alone'), [{ ...sidecar, pid: 1 }], { self: 1 })
  const forked = writeProcTree(
    join(t.testdirName, 'forked'),
    [
      { ...sidecar, pid: 1 },
      { ...sidecar, pid: 7, ppid: 1 },
    ],
    { self: 7 },
  )
  for (const folder of [alone, forked])
    t.match(await chooseTarget(createProcFolder(folder), { container: 'app' }), {
      outcome: 'not-identifiable',
      detail: /shareProcessNamespace/,
    })
})

void t.test('signal target: a sidecar that cannot identify its own pod says so', async (t) => {
  const { container: _, ...unplaced } = sidecar
  const folder = writeProcTree(t.testdir(), [pause, unplaced, app], { self: 13 })
  t.match(await chooseTarget(createProcFolder(folder), { container: 'app' }), {
    outcome: 'not-identifiable',
    detail: /termination log/,
  })
})

void t.test("signal target: a /proc that shows only the user's own processes is reported", async (t) => {
  const hidden = writeProcTree(join(t.testdir(), 'hidden'), [sidecar], { self: 13 })
  t.match(await chooseTarget(createProcFolder(hidden), { container: 'app' }), {
    outcome: 'not-identifiable',
    detail: /hidepid/,
  })
  const visible = writeProcTree(join(t.testdirName, 'visible'), [sidecar, app], { self: 13 })
  t.strictSame(
    pidsOf(await chooseTarget(createProcFolder(visible), { container: 'app' })),
    [20],
    'the target is of the same user',
  )
})

void t.test('signal target: once the entry process has ended, no process of that run is taken for it', async (t) => {
  const folder = writePod(t.testdir(), [app, exec])
  const proc = createProcFolder(folder)
  const first = await chooseTarget(proc, { container: 'app' })
  if ('outcome' in first) return t.fail(first.detail)
  const last: Entry = first.entry
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app' }, last)), [20])

  rmSync(join(folder, '20'), { recursive: true })
  t.match(await chooseTarget(proc, { container: 'app' }, last), {
    outcome: 'no-such-process',
    detail: 'container "app" is ending: its process 20 (app) has ended',
  })
  writeProcess(folder, { ...app, pid: 50, instance: 'next' })
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app' }, last)), [50])
})

void t.test('signal target: the message says what is missing and which annotation to check', async (t) => {
  t.match(await choose(t, []), { detail: 'container "app" is not running' })
  t.match(await choose(t, nginx, { container: 'app', process: 'redis' }), {
    detail:
      'no process "redis" runs in container "app", only: sh, nginx; ' +
      'the container has run for 30 s: check the annotation azure.keyvault.injector/signal-process',
    isMisnamed: true,
  })
  t.match(await choose(t, [{ pid: 20, comm: 'app' }]), {
    detail: /^process 20 \(app\) has no mounted termination log/,
  })
})

void t.test('signal target: short-lived processes do not change the message', async (t) => {
  const folder = writePod(t.testdir(), [{ ...app, start: 9_999_900 }], 100_000)
  const words = async () => chooseTarget(createProcFolder(folder), { container: 'app', process: 'redis' })
  const expected = { detail: 'no process "redis" runs in container "app", only: app' }
  t.match(await words(), expected)
  writeProcess(folder, { pid: 21, comm: 'sleep', ppid: 20, container: 'app', start: 9_999_950 })
  t.match(await words(), expected)
  writeProcess(folder, { pid: 21, comm: 'server', ppid: 20, container: 'app', start: 9_990_000 })
  t.match(await words(), { detail: /, only: app, server$/ })
})
