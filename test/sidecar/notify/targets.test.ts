import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type ProcessSpec, writeProcess, writeUptime } from './signal/proc-tree.ts'
import { app, change, fixture, hup } from './fixture.ts'

void t.test(
  'notifier: the status names the processes that got the last signal, and the newest that was found',
  async (t) => {
    const { folder, notifier, timing } = fixture(t, [app])
    await timing.pass(0)
    t.equal(notifier.status().signaled, undefined)
    notifier.notify(change('a', timing.now()))
    await timing.pass(0)
    t.match(notifier.status(), { targets: [{ pid: 20 }], signaled: [{ pid: 20 }], latest: { pid: 20 } })
    rmSync(join(folder, '20'), { recursive: true })
    t.strictSame(notifier.status().targets, [], 'an ended process is no target')
    await timing.pass(2_000)
    notifier.watchClosely(true)
    await timing.pass(1_000)
    for (const pid of [30, 40]) {
      writeProcess(folder, { ...app, pid, instance: `${pid}`.repeat(4) })
      await timing.pass(200)
      rmSync(join(folder, `${pid}`), { recursive: true })
      t.match(notifier.status(), { targets: [], signaled: [{ pid: 20 }], latest: { pid } })
      // Until it is noticed that the process has ended.
      await timing.pass(2_100)
    }
  },
)

const twin = (pid: number, start = 100): ProcessSpec => ({ ...app, pid, comm: 'twin', ppid: 20, start, caught: [] })
const young = 9_999_700

void t.test('notifier: a process that replaces one that the signal ended gets none', async (t) => {
  let [next, uptime] = [23, 100_000]
  const started: { pid: number; at: number }[] = []
  const killed: number[] = []
  const { seen, folder, notifier, timing } = fixture(t, [app, twin(21), twin(22, young)], {
    signal: { name: 'SIGTERM', container: 'app', process: 'twin' },
    kill(pid, signal) {
      if (signal === 0) return
      killed.push(pid)
      rmSync(join(folder, `${pid}`), { recursive: true })
      started.push({ pid: next++, at: uptime + 1 })
    },
  })
  notifier.notify(change('a', timing.now()))
  for (; uptime < 100_120; writeUptime(folder, (uptime += 0.5))) {
    await timing.pass(500)
    for (const { pid, at } of started) if (at === uptime) writeProcess(folder, twin(pid, at * 100))
  }
  t.strictSame(killed, [21, 22])
  t.strictSame(seen.delivered, ['a'])
  notifier.notify(change('b', timing.now()))
  await timing.pass(0)
  t.strictSame(killed, [21, 22, 23, 24], 'they get the signal of the next rotation')
})

void t.test(
  'notifier: a container that restarts after some of its processes got the signal gets no other',
  async (t) => {
    const { seen, folder, notifier, timing } = fixture(t, [app, twin(21), twin(22, young)], {
      signal: { ...hup, process: 'twin' },
    })
    notifier.notify(change('a', timing.now()))
    await timing.pass(1_000)
    for (const pid of [20, 21, 22]) rmSync(join(folder, `${pid}`), { recursive: true })
    await timing.pass(5_000)
    t.strictSame(seen.delivered, [])
    writeProcess(folder, { ...app, pid: 30, instance: 'next', start: 10_000_000 })
    writeProcess(folder, { ...twin(31, 10_000_000), ppid: 30, instance: 'next' })
    writeUptime(folder, 100_020)
    await timing.pass(60_000)
    t.strictSame(seen.sent, [[21, 'SIGHUP']])
    t.match(seen.outcomes.at(-1), { outcome: 'delivered', detail: 'process 21 (twin) received SIGHUP' })
  },
)

void t.test('notifier: processes that all start after the switch get the signal, each once', async (t) => {
  const { seen, folder, notifier, timing } = fixture(t, [], { signal: { ...hup, process: 'twin' } })
  notifier.notify(change('a', timing.now()))
  await timing.pass(5_000)
  for (const one of [app, twin(21, young), twin(22, young + 200)]) writeProcess(folder, one)
  await timing.pass(5_000)
  t.strictSame(seen.sent, [])
  writeUptime(folder, 100_008)
  await timing.pass(1_000)
  t.strictSame(seen.sent, [[21, 'SIGHUP']])
  writeUptime(folder, 100_010)
  await timing.pass(1_000)
  t.strictSame(
    seen.sent,
    [
      [21, 'SIGHUP'],
      [22, 'SIGHUP'],
    ],
    'also one that was too young when the first got it',
  )
  t.strictSame(seen.delivered, ['a'])
})
