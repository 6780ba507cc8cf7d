import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ageOf, openProc, type Process } from '../../../sidecar/notify/processes.ts'
import { handlingOf, isSettled, sendSignal } from '../../../sidecar/notify/signal.ts'
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

function stage(t: Test, specs: ProcessSpec[]) {
  const folder = writePod(t.testdir(), specs)
  const proc = openProc(folder)
  const processes = specs
    .map(({ pid }) => proc.stat(pid))
    .filter((process): process is Process => process !== undefined)
  return { folder, proc, processes }
}

void t.test('sends to each', async (t) => {
  const { proc, processes } = stage(t, [app, worker])
  const { sent, kill } = recorder()
  const { outcome, detail } = sendSignal(proc, processes, 'SIGHUP', kill)
  t.strictSame(sent, [[20, 'SIGHUP'], [21, 'SIGHUP']]) // prettier-ignore
  t.equal(outcome, 'delivered')
  t.equal(detail, 'process 20 (app), process 21 (app) got SIGHUP')
})

void t.test('tries with signal 0', async (t) => {
  const { proc, processes } = stage(t, [app])
  const { sent, kill } = recorder()
  t.match(sendSignal(proc, processes, 0, kill), { outcome: 'delivered', detail: 'process 20 (app) may be signalled' })
  t.strictSame(sent, [[20, 0]])
})

void t.test('between choosing and sending', async (t) => {
  const changes: Record<string, (folder: string) => void> = {
    'the process ended': (folder) => rmSync(join(folder, '20'), { recursive: true }),
    'its pid was given again': (folder) => writeProcess(folder, { ...app, start: 9_999 }),
    'it became a zombie': (folder) => writeProcess(folder, { ...app, state: 'Z' }),
  }
  for (const [name, change] of Object.entries(changes)) {
    void t.test(name, async (t) => {
      const { folder, proc, processes } = stage(t, [app])
      change(folder)
      const { sent, kill } = recorder()
      t.match(sendSignal(proc, processes, 'SIGTERM', kill), {
        outcome: 'no-such-process',
        detail: 'process 20 (app) has ended',
      })
      t.strictSame(sent, [])
    })
  }
  void t.test('one of two ended', async (t) => {
    const { proc, processes } = stage(t, [app, worker])
    const { sent, kill } = recorder({ 20: 'ESRCH' })
    t.match(sendSignal(proc, processes, 'SIGTERM', kill), { outcome: 'delivered', processes: [{ pid: 21 }] })
    t.strictSame(sent, [[21, 'SIGTERM']])
  })
})

void t.test('refused', async (t) => {
  const refusal = (t: Test, specs: ProcessSpec[], codes: Record<number, string>) => {
    const { proc, processes } = stage(t, specs)
    return sendSignal(proc, processes, 'SIGHUP', recorder(codes).kill)
  }
  void t.test('another user: which, and the annotation', async (t) => {
    t.match(refusal(t, [{ ...app, uid: 1000 }], { 20: 'EPERM' }), {
      outcome: 'not-permitted',
      detail:
        'the sidecar, user 65532, may not signal process 20 (app), user 1000: set the annotation azure.keyvault.injector/run-as-user: "1000", ' +
        "or azure.keyvault.injector/signal-permission: cap-kill where the cluster's admin allows it",
    })
  })
  void t.test('root', async (t) => {
    t.match(refusal(t, [{ ...app, uid: 0 }], { 20: 'EPERM' }).detail, /run-as-user: "0"/)
  })
  void t.test('several users: no one id would do', async (t) => {
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
  void t.test('one of two: the other has it', async (t) => {
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
  void t.test('not for the user id', async (t) => {
    t.match(refusal(t, [{ ...app, uid: 65532 }], { 20: 'EPERM' }).detail, /\(EPERM\): not for its user id/)
    t.match(
      refusal(t, [{ ...app, uid: 1000 }], { 20: 'EACCES' }).detail,
      /\(EACCES\): not for its user id; look for a seccomp/,
    )
  })
  void t.test('whoever may signal all is not told to take the capability', async (t) => {
    const { folder, proc, processes } = stage(t, [{ ...app, uid: 1000 }])
    writeProcess(folder, { ...sidecar, uid: 0, capabilities: '20' })
    t.match(sendSignal(proc, processes, 'SIGHUP', recorder({ 20: 'EPERM' }).kill).detail, /^the sidecar, user 0, .*\(EPERM\): not for its user id/) // prettier-ignore
    writeProcess(folder, { ...sidecar, uid: 0, capabilities: '1f' })
    t.match(sendSignal(proc, processes, 'SIGHUP', recorder({ 20: 'EPERM' }).kill).detail, /cap-kill/, 'it has all but that one') // prettier-ignore
  })
  void t.test('a user id that cannot be read', async (t) => {
    const { folder, proc, processes } = stage(t, [app])
    rmSync(join(folder, '20/status'))
    t.match(
      sendSignal(proc, processes, 'SIGHUP', recorder({ 20: 'EPERM' }).kill).detail,
      /cannot be read: set .*cap-kill$/,
    )
  })
})

void t.test('what a process would do with a signal', async (t) => {
  const { proc } = stage(t, [{ ...app, caught: ['SIGHUP', 'SIGINT'], ignored: ['SIGUSR1'], blocked: ['SIGUSR2'] }])
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

void t.test('age, and when a process is old enough for a signal', async (t) => {
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
    void t.test(name, async (t) => {
      const proc = openProc(writePod(t.testdir(), [{ ...stat, ...signals }], uptime))
      const process = proc.stat(20)
      if (process === undefined) return t.fail('no process')
      t.equal(ageOf(proc, process), age)
      t.equal(isSettled(proc, process, 'SIGHUP'), settled)
    })
  }
})
