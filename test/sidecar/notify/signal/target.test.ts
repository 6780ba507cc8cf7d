import { join } from 'node:path'
import t from 'tap'
import { createProcFolder } from '../../../../sidecar/notify/signal/procfs.ts'
import { chooseTarget } from '../../../../sidecar/notify/signal/target.ts'
import { otherPodUid, type ProcessSpec, writePod, writeProcess } from './proc-tree.ts'
import { app, choose, exec, nginx, pidsOf } from './choose.ts'

/** What is chosen, by pid, among pause (1), the sidecar (13) and these. */
const cases: { name: string; processes: ProcessSpec[]; process?: string; expected: number[] | string }[] = [
  { name: 'the only process', processes: [app], expected: [20] },
  {
    name: 'the entry, not its children',
    processes: [app, { pid: 21, comm: 'worker', ppid: 20, container: 'app' }],
    expected: [20],
  },
  {
    name: 'the named container of several',
    processes: [{ pid: 15, comm: 'proxy', container: 'proxy' }, app, { pid: 25, comm: 'app', container: 'app2' }],
    expected: [20],
  },
  {
    name: 'a custom terminationMessagePath',
    processes: [{ ...app, terminationMessagePath: '/tmp/last words' }],
    expected: [20],
  },
  {
    name: 'not what kubectl exec started',
    processes: [exec, app, { pid: 31, comm: 'vi', ppid: 30, container: 'app' }],
    expected: [20],
  },
  {
    name: 'the oldest by start time, where pids have wrapped',
    processes: [
      { ...exec, pid: 5, start: 9000 },
      { ...app, start: 2000 },
    ],
    expected: [20],
  },
  {
    name: 'the lower pid of one tick',
    processes: [
      { ...exec, start: 2000 },
      { ...app, start: 2000 },
    ],
    expected: [20],
  },
  { name: 'a zombie entry', processes: [{ ...app, state: 'Z' }], expected: 'no-such-process' },
  { name: 'the entry that lives while another is a zombie', processes: [app, { ...exec, state: 'Z' }], expected: [20] },
  {
    name: 'the new run while a shell of the old one ends',
    processes: [
      { ...exec, instance: 'aaaa' },
      { ...app, pid: 40, instance: 'bbbb' },
    ],
    expected: [40],
  },
  {
    name: 'a container that the runtime still makes',
    processes: [{ ...app, comm: 'runc:[2:INIT]' }],
    expected: 'no-such-process',
  },
  { name: 'nothing there yet', processes: [], expected: 'no-such-process' },
  {
    name: "another pod's container of the same name",
    processes: [{ ...app, podUid: otherPodUid }],
    expected: 'no-such-process',
  },
  { name: 'an entry without a termination log', processes: [{ pid: 20, comm: 'app' }], expected: 'not-identifiable' },
  {
    name: 'a process that the kernel keeps back',
    processes: [{ ...app, refused: true }],
    expected: 'not-identifiable',
  },
  {
    name: 'a process of another container that is kept back',
    processes: [app, { pid: 25, comm: 'x', refused: true }],
    expected: [20],
  },
  { name: 'a name: the server, not its workers', processes: nginx, process: 'nginx', expected: [21] },
  {
    name: 'a name: the base name of argv[0]',
    processes: [app, { pid: 21, comm: 'MainThread', ppid: 20, container: 'app', argv: ['/usr/bin/node', 'x.js'] }],
    process: 'node',
    expected: [21],
  },
  {
    name: 'a name: comm, which is not the argument',
    processes: [app, { pid: 21, comm: 'MainThread', ppid: 20, container: 'app', argv: ['node'] }],
    process: 'MainThread',
    expected: [21],
  },
  {
    name: 'a name with spaces and parentheses',
    processes: [app, { pid: 21, comm: 'my (odd) app', ppid: 20, container: 'app' }],
    process: 'my (odd) app',
    expected: [21],
  },
  { name: 'a name: only the whole', processes: nginx, process: 'ngin', expected: 'no-such-process' },
  { name: 'a name: not an argument', processes: nginx, process: '/bin/sh', expected: 'no-such-process' },
  { name: 'a name: the entry itself', processes: nginx, process: 'sh', expected: [20] },
  {
    name: 'a name: two that are not parent and child',
    processes: [...nginx, { pid: 40, comm: 'nginx', ppid: 20, container: 'app' }],
    process: 'nginx',
    expected: [21, 40],
  },
  {
    name: 'a name: a grandchild behind another',
    processes: [
      app,
      { pid: 21, comm: 'mid', ppid: 20, container: 'app' },
      { pid: 22, comm: 'app', ppid: 21, container: 'app' },
    ],
    process: 'app',
    expected: [20, 22],
  },
  {
    name: 'a name: adopted by pause',
    processes: [app, { pid: 21, comm: 'daemon', ppid: 1, container: 'app' }],
    process: 'daemon',
    expected: [21],
  },
  {
    name: 'a name: a child of one that pause adopted',
    processes: [
      app,
      { pid: 21, comm: 'x', ppid: 1, container: 'app' },
      { pid: 22, comm: 'daemon', ppid: 21, container: 'app' },
    ],
    process: 'daemon',
    expected: [22],
  },
  {
    name: "a name: adopted by pause, another container's",
    processes: [app, { pid: 21, comm: 'daemon', ppid: 1, container: 'other' }],
    process: 'daemon',
    expected: 'no-such-process',
  },
  {
    name: 'a name: adopted by pause, of no container',
    processes: [app, { pid: 21, comm: 'daemon', ppid: 1 }],
    process: 'daemon',
    expected: 'no-such-process',
  },
  {
    name: "a name: another container's",
    processes: [app, { pid: 25, comm: 'daemon', container: 'other' }],
    process: 'daemon',
    expected: 'no-such-process',
  },
  {
    name: 'a name: a descendant that is elsewhere',
    processes: [app, { pid: 21, comm: 'daemon', ppid: 20, container: 'other' }],
    process: 'daemon',
    expected: 'no-such-process',
  },
  {
    name: 'a name: a descendant in a root folder of its own, without rows',
    processes: [app, { pid: 21, comm: 'haproxy', ppid: 20 }],
    process: 'haproxy',
    expected: [21],
  },
  {
    name: 'a name: what kubectl exec started',
    processes: [app, exec, { pid: 31, comm: 'psql', ppid: 30, container: 'app' }],
    process: 'psql',
    expected: 'no-such-process',
  },
  {
    name: 'a name: a zombie',
    processes: [app, { pid: 21, comm: 'daemon', ppid: 20, container: 'app', state: 'Z' }],
    process: 'daemon',
    expected: 'no-such-process',
  },
  {
    name: 'a name: a leader that is gone while its threads run',
    processes: [app, { pid: 21, comm: 'daemon', ppid: 20, container: 'app', state: 'Z', threads: 3 }],
    process: 'daemon',
    expected: [21],
  },
  { name: 'a name: never the pause process', processes: [app], process: 'pause', expected: 'no-such-process' },
  { name: 'a name: never the sidecar', processes: [app], process: 'node', expected: 'no-such-process' },
  {
    name: 'a name: parents in a circle, which a torn reading may show',
    processes: [app, { pid: 21, comm: 'x', ppid: 22 }, { pid: 22, comm: 'x', ppid: 21 }],
    process: 'x',
    expected: 'no-such-process',
  },
]

for (const { name, processes, process, expected } of cases) {
  void t.test(`signal target: ${name}`, async (t) => {
    t.strictSame(
      pidsOf(await choose(t, processes, { container: 'app', ...(process !== undefined && { process }) })),
      expected,
    )
  })
}

void t.test('signal target: the order of the folder does not matter', async (t) => {
  const processes = [exec, app, { pid: 15, comm: 'proxy', container: 'proxy' }]
  for (const order of [processes, [...processes].reverse()]) t.strictSame(pidsOf(await choose(t, order)), [20])
})

void t.test('signal target: threads are not processes', async (t) => {
  const folder = writePod(t.testdir(), [{ ...app, threads: 2 }])
  for (const pid of [20, 21]) writeProcess(join(folder, '20/task'), { ...app, pid })
  t.strictSame(pidsOf(await chooseTarget(createProcFolder(folder), { container: 'app' })), [20])
  t.strictSame(pidsOf(await chooseTarget(createProcFolder(folder), { container: 'app', process: 'app' })), [20])
})

void t.test('signal target: the sidecar never chooses itself', async (t) => {
  t.equal(pidsOf(await choose(t, [app], { container: 'akv-injector' })), 'not-identifiable')
  t.equal(pidsOf(await choose(t, [app], { container: 'akv-injector', process: 'node' })), 'not-identifiable')
})

void t.test('signal target: it is found among 5,000 processes', async (t) => {
  const parentOf = (i: number): number => (i < 10 ? 20 : 100 + Math.floor(i / 3) - 1)
  const crowd = Array.from({ length: 5_000 }, (_, i) => ({
    pid: 100 + i,
    comm: `w${i % 7}`,
    ppid: parentOf(i),
    bare: true,
  }))
  const proc = createProcFolder(writePod(t.testdir(), [app, ...crowd]))
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app' })), [20])
  t.strictSame(pidsOf(await chooseTarget(proc, { container: 'app', process: 'app' })), [20])
})
