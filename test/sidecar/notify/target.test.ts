import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openProc } from '../../../sidecar/notify/processes.ts'
import { type Choice, chooseTarget, type Entry } from '../../../sidecar/notify/target.ts'
import { otherPodUid, pause, type ProcessSpec, sidecar, writePod, writeProcess, writeProcTree } from './proc-tree.ts'

const pidsOf = (choice: Choice): number[] | string =>
  'outcome' in choice ? choice.outcome : choice.processes.map(({ pid }) => pid).sort((a, b) => a - b)

function choose(
  t: Test,
  processes: ProcessSpec[],
  wanted: { container: string; process?: string } = { container: 'app' },
) {
  return chooseTarget(openProc(writePod(t.testdir(), processes)), wanted)
}

const app = { pid: 20, comm: 'app', container: 'app' } satisfies ProcessSpec
const exec = { pid: 30, comm: 'bash', container: 'app' } satisfies ProcessSpec
const nginx = [
  { pid: 20, comm: 'sh', container: 'app', argv: ['/bin/sh', '-c', 'nginx'] },
  { pid: 21, comm: 'nginx', ppid: 20, container: 'app', argv: ['nginx: master process /usr/sbin/nginx'] },
  { pid: 22, comm: 'nginx', ppid: 21, container: 'app', argv: ['nginx: worker process'] },
  { pid: 23, comm: 'nginx', ppid: 21, container: 'app', argv: ['nginx: worker process'] },
] satisfies ProcessSpec[]

/** What is chosen, by pid, among pause (1), the sidecar (13) and these. */
// prettier-ignore
const cases: { name: string; processes: ProcessSpec[]; process?: string; expected: number[] | string }[] = [
  { name: 'the only process', processes: [app], expected: [20] },
  { name: 'the entry, not its children', processes: [app, { pid: 21, comm: 'worker', ppid: 20, container: 'app' }], expected: [20] },
  { name: 'the named container of several', processes: [{ pid: 15, comm: 'proxy', container: 'proxy' }, app, { pid: 25, comm: 'app', container: 'app2' }], expected: [20] },
  { name: 'a custom terminationMessagePath', processes: [{ ...app, terminationMessagePath: '/tmp/last words' }], expected: [20] },
  { name: 'not what kubectl exec started', processes: [exec, app, { pid: 31, comm: 'vi', ppid: 30, container: 'app' }], expected: [20] },
  { name: 'the oldest by start time, where pids have wrapped', processes: [{ ...exec, pid: 5, start: 9000 }, { ...app, start: 2000 }], expected: [20] },
  { name: 'the lower pid of one tick', processes: [{ ...exec, start: 2000 }, { ...app, start: 2000 }], expected: [20] },
  { name: 'a zombie entry', processes: [{ ...app, state: 'Z' }], expected: 'no-such-process' },
  { name: 'the entry that lives while another is a zombie', processes: [app, { ...exec, state: 'Z' }], expected: [20] },
  { name: 'the new run while a shell of the old one ends', processes: [{ ...exec, instance: 'aaaa' }, { ...app, pid: 40, instance: 'bbbb' }], expected: [40] },
  { name: 'a container that the runtime still makes', processes: [{ ...app, comm: 'runc:[2:INIT]' }], expected: 'no-such-process' },
  { name: 'nothing there yet', processes: [], expected: 'no-such-process' },
  { name: "another pod's container of the same name", processes: [{ ...app, podUid: otherPodUid }], expected: 'no-such-process' },
  { name: 'an entry without a termination log', processes: [{ pid: 20, comm: 'app' }], expected: 'not-identifiable' },
  { name: 'a process that the kernel keeps back', processes: [{ ...app, refused: true }], expected: 'not-identifiable' },
  { name: 'a process of another container that is kept back', processes: [app, { pid: 25, comm: 'x', refused: true }], expected: [20] },
  { name: 'a name: the server, not its workers', processes: nginx, process: 'nginx', expected: [21] },
  { name: 'a name: the base name of argv[0]', processes: [app, { pid: 21, comm: 'MainThread', ppid: 20, container: 'app', argv: ['/usr/bin/node', 'x.js'] }], process: 'node', expected: [21] },
  { name: 'a name: comm, which is not the argument', processes: [app, { pid: 21, comm: 'MainThread', ppid: 20, container: 'app', argv: ['node'] }], process: 'MainThread', expected: [21] },
  { name: 'a name with spaces and parentheses', processes: [app, { pid: 21, comm: 'my (odd) app', ppid: 20, container: 'app' }], process: 'my (odd) app', expected: [21] },
  { name: 'a name: only the whole', processes: nginx, process: 'ngin', expected: 'no-such-process' },
  { name: 'a name: not an argument', processes: nginx, process: '/bin/sh', expected: 'no-such-process' },
  { name: 'a name: the entry itself', processes: nginx, process: 'sh', expected: [20] },
  { name: 'a name: two that are not parent and child', processes: [...nginx, { pid: 40, comm: 'nginx', ppid: 20, container: 'app' }], process: 'nginx', expected: [21, 40] },
  { name: 'a name: a grandchild behind another', processes: [app, { pid: 21, comm: 'mid', ppid: 20, container: 'app' }, { pid: 22, comm: 'app', ppid: 21, container: 'app' }], process: 'app', expected: [20, 22] },
  { name: 'a name: adopted by pause', processes: [app, { pid: 21, comm: 'daemon', ppid: 1, container: 'app' }], process: 'daemon', expected: [21] },
  { name: 'a name: a child of one that pause adopted', processes: [app, { pid: 21, comm: 'x', ppid: 1, container: 'app' }, { pid: 22, comm: 'daemon', ppid: 21, container: 'app' }], process: 'daemon', expected: [22] },
  { name: "a name: adopted by pause, another container's", processes: [app, { pid: 21, comm: 'daemon', ppid: 1, container: 'other' }], process: 'daemon', expected: 'no-such-process' },
  { name: 'a name: adopted by pause, of no container', processes: [app, { pid: 21, comm: 'daemon', ppid: 1 }], process: 'daemon', expected: 'no-such-process' },
  { name: "a name: another container's", processes: [app, { pid: 25, comm: 'daemon', container: 'other' }], process: 'daemon', expected: 'no-such-process' },
  { name: 'a name: a descendant that is elsewhere', processes: [app, { pid: 21, comm: 'daemon', ppid: 20, container: 'other' }], process: 'daemon', expected: 'no-such-process' },
  { name: 'a name: a descendant in a root folder of its own, without rows', processes: [app, { pid: 21, comm: 'haproxy', ppid: 20 }], process: 'haproxy', expected: [21] },
  { name: 'a name: what kubectl exec started', processes: [app, exec, { pid: 31, comm: 'psql', ppid: 30, container: 'app' }], process: 'psql', expected: 'no-such-process' },
  { name: 'a name: a zombie', processes: [app, { pid: 21, comm: 'daemon', ppid: 20, container: 'app', state: 'Z' }], process: 'daemon', expected: 'no-such-process' },
  { name: 'a name: a leader that is gone while its threads run', processes: [app, { pid: 21, comm: 'daemon', ppid: 20, container: 'app', state: 'Z', threads: 3 }], process: 'daemon', expected: [21] },
  { name: 'a name: never the pause process', processes: [app], process: 'pause', expected: 'no-such-process' },
  { name: 'a name: never the sidecar', processes: [app], process: 'node', expected: 'no-such-process' },
  { name: 'a name: parents in a circle, which a torn reading may show', processes: [app, { pid: 21, comm: 'x', ppid: 22 }, { pid: 22, comm: 'x', ppid: 21 }], process: 'x', expected: 'no-such-process' },
]

for (const { name, processes, process, expected } of cases) {
  void t.test(name, async (t) => {
    t.strictSame(
      pidsOf(await choose(t, processes, { container: 'app', ...(process !== undefined && { process }) })),
      expected,
    )
  })
}

void t.test('the order of the folder does not matter', async (t) => {
  const processes = [exec, app, { pid: 15, comm: 'proxy', container: 'proxy' }]
  for (const order of [processes, [...processes].reverse()]) t.strictSame(pidsOf(await choose(t, order)), [20])
})

void t.test('threads are not processes', async (t) => {
  const folder = writePod(t.testdir(), [{ ...app, threads: 2 }])
  for (const pid of [20, 21]) writeProcess(join(folder, '20/task'), { ...app, pid })
  t.strictSame(pidsOf(await chooseTarget(openProc(folder), { container: 'app' })), [20])
  t.strictSame(pidsOf(await chooseTarget(openProc(folder), { container: 'app', process: 'app' })), [20])
})

void t.test('no process namespace of the pod', async (t) => {
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
    t.match(await chooseTarget(openProc(folder), { container: 'app' }), {
      outcome: 'not-identifiable',
      detail: /shareProcessNamespace/,
    })
})

void t.test('a sidecar that cannot tell its own pod', async (t) => {
  const { container: _, ...unplaced } = sidecar
  const folder = writeProcTree(t.testdir(), [pause, unplaced, app], { self: 13 })
  t.match(await chooseTarget(openProc(folder), { container: 'app' }), {
    outcome: 'not-identifiable',
    detail: /termination log/,
  })
})

void t.test("a /proc that shows the user's own processes only", async (t) => {
  const hidden = writeProcTree(join(t.testdir(), 'hidden'), [sidecar], { self: 13 })
  t.match(await chooseTarget(openProc(hidden), { container: 'app' }), {
    outcome: 'not-identifiable',
    detail: /hidepid/,
  })
  const visible = writeProcTree(join(t.testdirName, 'visible'), [sidecar, app], { self: 13 })
  t.strictSame(
    pidsOf(await chooseTarget(openProc(visible), { container: 'app' })),
    [20],
    'the target is of the same user',
  )
})

void t.test('never itself', async (t) => {
  t.equal(pidsOf(await choose(t, [app], { container: 'akv-injector' })), 'not-identifiable')
  t.equal(pidsOf(await choose(t, [app], { container: 'akv-injector', process: 'node' })), 'not-identifiable')
})

void t.test('once the entry has ended, nothing of that run is taken for it', async (t) => {
  const folder = writePod(t.testdir(), [app, exec])
  const proc = openProc(folder)
  const first = await chooseTarget(proc, { container: 'app' })
  if ('outcome' in first) return t.fail(first.detail)
  const last: Entry = first.entry
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app' }, last)), [20])

  rmSync(join(folder, '20'), { recursive: true })
  t.match(await chooseTarget(proc, { container: 'app' }, last), {
    outcome: 'no-such-process',
    detail: 'container "app" ends: its process 20 (app) is gone',
  })
  writeProcess(folder, { ...app, pid: 50, instance: 'next' })
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app' }, last)), [50])
})

void t.test('the words for what is not there', async (t) => {
  t.match(await choose(t, []), { detail: 'container "app" does not run' })
  t.match(await choose(t, nginx, { container: 'app', process: 'redis' }), {
    detail:
      'no process "redis" runs in container "app"; these do: sh, nginx; ' +
      'it has run for 30 s: check the annotation azure.keyvault.injector/signal-process',
    isMisnamed: true,
  })
  t.match(await choose(t, [{ pid: 20, comm: 'app' }]), {
    detail: /^no termination log is mounted for process 20 \(app\)/,
  })
})

void t.test('what comes and goes does not make it another message', async (t) => {
  const folder = writePod(t.testdir(), [{ ...app, start: 9_999_900 }], 100_000)
  const words = async () => chooseTarget(openProc(folder), { container: 'app', process: 'redis' })
  const expected = { detail: 'no process "redis" runs in container "app"; these do: app' }
  t.match(await words(), expected)
  writeProcess(folder, { pid: 21, comm: 'sleep', ppid: 20, container: 'app', start: 9_999_950 })
  t.match(await words(), expected)
  writeProcess(folder, { pid: 21, comm: 'server', ppid: 20, container: 'app', start: 9_990_000 })
  t.match(await words(), { detail: /; these do: app, server$/ })
})

void t.test('among five thousand', async (t) => {
  const parentOf = (i: number): number => (i < 10 ? 20 : 100 + Math.floor(i / 3) - 1)
  const crowd = Array.from({ length: 5_000 }, (_, i) => ({
    pid: 100 + i,
    comm: `w${i % 7}`,
    ppid: parentOf(i),
    bare: true,
  }))
  const proc = openProc(writePod(t.testdir(), [app, ...crowd]))
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app' })), [20])
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app', process: 'app' })), [20])
})
