import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ageOf, createProcFolder, type Process } from '../../../../sidecar/notify/signal/procfs.ts'
import { handlingOf, isWarmedUp, sendSignal } from '../../../../sidecar/notify/signal/send.ts'
import { type ProcessSpec, sidecar, writePod, writeProcess } from './proc-tree.ts'

const app = { pid: 20, comm: 'app', container: 'app' } satisfies ProcessSpec
const worker = { pid: 21, comm: 'app', container: 'app' } satisfies ProcessSpec

/** A kill(2) that remembers, and refuses those pids. */
function recorder(codes: Record<number, string> = {}) {
  const sent: [number, string | 0][] = []
  const kill = (pid: number, signal: string | 0): void => {
    const code = codes[pid]
    if (code !== undefined) throw Object.assign(new Error(`kill ${code}`), { code })
    sent.push([pid, signal])
  }
  return { sent, kill }
}

function fixture(t: Test, specs: ProcessSpec[]) {
  const folder = writePod(t.testdir(), specs)
  const proc = createProcFolder(folder)
  const processes = specs
    .map(({ pid }) => proc.stat(pid))
    .filter((process): process is Process => process !== undefined)
  return { folder, proc, processes }
}

void t.test('signal: it is sent to each target', async (t) => {
  const { proc, processes } = fixture(t, [app, worker])
  const { sent, kill } = recorder()
  const { outcome, detail } = sendSignal(proc, processes, 'SIGHUP', kill)
  t.strictSame(sent, [
    [20, 'SIGHUP'],
    [21, 'SIGHUP'],
  ])
  t.equal(outcome, 'delivered')
  t.equal(detail, 'process 20 (app), process 21 (app) received SIGHUP')
})

void t.test('signal: a check sends signal 0', async (t) => {
  const { proc, processes } = fixture(t, [app])
  const { sent, kill } = recorder()
  t.match(sendSignal(proc, processes, 0, kill), { outcome: 'delivered', detail: 'process 20 (app) can be signaled' })
  t.strictSame(sent, [[20, 0]])
})

void t.test('signal: a target that ended before it was sent gets none', async (t) => {
  const changes: Record<string, (folder: string) => void> = {
    'the process ended': (folder) => rmSync(join(folder, '20'), { recursive: true }),
    'its PID was reused': (folder) => writeProcess(folder, { ...app, start: 9_999 }),
    'it became a zombie': (folder) => writeProcess(folder, { ...app, state: 'Z' }),
  }
  for (const [name, change] of Object.entries(changes)) {
    void t.test(`signal: none is sent if ${name}`, async (t) => {
      const { folder, proc, processes } = fixture(t, [app])
      change(folder)
      const { sent, kill } = recorder()
      t.match(sendSignal(proc, processes, 'SIGTERM', kill), {
        outcome: 'no-such-process',
        detail: 'process 20 (app) has ended',
      })
      t.strictSame(sent, [])
    })
  }
  void t.test('signal: if one of two targets ended, the other gets it', async (t) => {
    const { proc, processes } = fixture(t, [app, worker])
    const { sent, kill } = recorder({ 20: 'ESRCH' })
    t.match(sendSignal(proc, processes, 'SIGTERM', kill), { outcome: 'delivered', processes: [{ pid: 21 }] })
    t.strictSame(sent, [[21, 'SIGTERM']])
  })
})

void t.test('signal: a refusal says what to do', async (t) => {
  const refusal = (t: Test, specs: ProcessSpec[], codes: Record<number, string>) => {
    const { proc, processes } = fixture(t, specs)
    return sendSignal(proc, processes, 'SIGHUP', recorder(codes).kill)
  }
  void t.test('signal: a refusal by another user names that user and the annotation', async (t) => {
    t.match(refusal(t, [{ ...app, uid: 1000 }], { 20: 'EPERM' }), {
      outcome: 'not-permitted',
      detail:
        'the sidecar, user 65532, is not permitted to signal process 20 (app), user 1000: set the annotation azure.keyvault.injector/run-as-user: "1000", ' +
        "or azure.keyvault.injector/signal-permission: cap-kill if the cluster's administrator allows it",
    })
  })
  void t.test('signal: a refusal by root names the annotation', async (t) => {
    t.match(refusal(t, [{ ...app, uid: 0 }], { 20: 'EPERM' }).detail, /run-as-user: "0"/)
  })
  void t.test('signal: a refusal by several users says that no single run-as-user helps', async (t) => {
    const { detail } = refusal(
      t,
      [
        { ...app, uid: 0 },
        { ...worker, uid: 33 },
      ],
      { 20: 'EPERM', 21: 'EPERM' },
    )
    t.match(
      detail,
      /several users \(0, 33\): set the annotation azure\.keyvault\.injector\/signal-permission: cap-kill$/,
    )
  })
  void t.test('signal: if one of two targets refuses, the other gets the signal', async (t) => {
    const sent = refusal(
      t,
      [
        { ...app, uid: 0 },
        { ...worker, uid: 33 },
      ],
      { 20: 'EPERM' },
    )
    t.match(sent, { outcome: 'not-permitted', processes: [{ pid: 21 }] })
    t.match(sent.detail, /run-as-user: "0"/)
  })
  void t.test('signal: a refusal that is not about the user ID says so', async (t) => {
    t.match(refusal(t, [{ ...app, uid: 65532 }], { 20: 'EPERM' }).detail, /\(EPERM\), but not because of its user ID/)
    t.match(
      refusal(t, [{ ...app, uid: 1000 }], { 20: 'EACCES' }).detail,
      /\(EACCES\), but not because of its user ID: check whether the containers' seccomp/,
    )
  })
  void t.test('signal: a sidecar that may signal all gets no advice to add the capability', async (t) => {
    const { folder, proc, processes } = fixture(t, [{ ...app, uid: 1000 }])
    writeProcess(folder, { ...sidecar, uid: 0, capabilities: '20' })
    t.match(
      sendSignal(proc, processes, 'SIGHUP', recorder({ 20: 'EPERM' }).kill).detail,
      /^the sidecar, user 0, .*\(EPERM\), but not because of its user ID/,
    )
    writeProcess(folder, { ...sidecar, uid: 0, capabilities: '1f' })
    t.match(
      sendSignal(proc, processes, 'SIGHUP', recorder({ 20: 'EPERM' }).kill).detail,
      /cap-kill/,
      'it has all but that one',
    )
  })
  void t.test('signal: a refusal by a process whose user ID cannot be read suggests cap-kill', async (t) => {
    const { folder, proc, processes } = fixture(t, [app])
    rmSync(join(folder, '20/status'))
    t.match(
      sendSignal(proc, processes, 'SIGHUP', recorder({ 20: 'EPERM' }).kill).detail,
      /cannot be read: set .*cap-kill$/,
    )
  })
})

void t.test('signal: the effect on a process follows from its signal sets', async (t) => {
  const { proc } = fixture(t, [{ ...app, caught: ['SIGHUP', 'SIGINT'], ignored: ['SIGUSR1'], blocked: ['SIGUSR2'] }])
  const expected = {
    SIGHUP: 'caught',
    SIGINT: 'caught',
    SIGUSR1: 'ignored',
    SIGUSR2: 'blocked',
    SIGTERM: 'default',
  } as const
  for (const [signal, handling] of Object.entries(expected))
    t.equal(handlingOf(proc, 20, signal as keyof typeof expected), handling, signal)
  t.equal(handlingOf(proc, 99, 'SIGHUP'), 'unknown')
})

void t.test('signal: a process is old enough after 1 s with a handler, or after 10 s', async (t) => {
  const stat = { ...app, start: 100_000 }
  const cases: [string, number, Partial<ProcessSpec>, number | undefined, boolean][] = [
    ['just forked, a tick ahead of the uptime read', 999.99, {}, 0, false],
    ['a second, no handler', 1_001, {}, 1_000, false],
    ['half a second, a handler', 1_000.5, { caught: ['SIGHUP'] }, 500, false],
    ['a second, a handler', 1_001, { caught: ['SIGHUP'] }, 1_000, true],
    ['a second, waits for it in a thread', 1_001, { blocked: ['SIGHUP'] }, 1_000, true],
    ['a second, a handler for another signal', 1_001, { caught: ['SIGTERM'] }, 1_000, false],
    ['ten seconds', 1_010, {}, 10_000, true],
    ["an uptime that is not the kernel's", 5, {}, undefined, true],
  ]
  for (const [name, uptime, signals, age, settled] of cases) {
    void t.test(`signal: the age of a process, ${name}`, async (t) => {
      const proc = createProcFolder(writePod(t.testdir(), [{ ...stat, ...signals }], uptime))
      const process = proc.stat(20)
      if (process === undefined) return t.fail('no process')
      t.equal(ageOf(proc, process), age)
      t.equal(isWarmedUp(proc, process, 'SIGHUP'), settled)
    })
  }
})
