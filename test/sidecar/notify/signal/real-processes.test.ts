/** Real signals to real processes, with a proof that the receiver writes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import type { Notification } from '../../../../sidecar/notify/notification.ts'
import type { NotifierStatus, OutcomeReport, PermissionReport } from '../../../../sidecar/notify/notifier.ts'
import type { SignalTarget } from '../../../../shared/settings/codec.ts'
import { openFolder } from '../../../support/open-folder.ts'
import {
  type Container,
  type ContainerSpec,
  type PodNamespace,
  startPodNamespace,
} from '../../../support/pod-namespace.ts'
import { leaveOut } from '../../../support/needs.ts'
import { type ProcessSpec, writeProcess } from './proc-tree.ts'
import { app, change, hup, fixture } from '../fixture.ts'
import { until } from '../../../support/until.ts'

/** Writes `ready`, then a line for each signal it gets, to the file $1. */
const receiver = `
for signal in HUP USR1 USR2 TERM; do trap "echo $signal >>'$1'" $signal; done
echo ready >>"$1"
while :; do sleep 60 & wait $!; kill $! 2>/dev/null; done
`

/** A receiver's proof. */
function proofIn(folder: string, name: string) {
  const file = join(folder, name)
  const lines = (): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
  return { file, lines, ready: () => until(`${name} is ready`, () => lines().includes('ready')) }
}

void t.test('real processes: a child of this process is found by its files in /proc', async (t) => {
  const folder = openFolder(t)
  const proof = proofIn(folder, 'proof')
  const child = spawn('sh', ['-c', receiver, 'sh', proof.file], { stdio: 'ignore', detached: true })
  const group = -(child.pid ?? 0)
  t.teardown(() => process.kill(group, 'SIGKILL'))
  await proof.ready()
  const target: ProcessSpec = { ...app, pid: child.pid ?? 0, start: 100 }
  const { seen, notifier, timing } = fixture(t, [target], {
    signal: hup,
    proc: join(folder, 'proc'),
    kill: (pid, signal) => void process.kill(pid, signal),
  })
  await timing.pass(0)
  t.match(seen.permissions, [{ outcome: 'permitted' }])
  notifier.notify(change('a', timing.now()))
  await timing.pass(0)
  await until('the signal', () => proof.lines().length > 1)
  t.strictSame(proof.lines(), ['ready', 'HUP'])

  const ended = once(child, 'exit')
  process.kill(child.pid ?? 0, 'SIGKILL')
  await ended
  notifier.notify(change('b', timing.now()))
  await timing.pass(0)
  t.match(seen.outcomes.at(-1), { id: 'b', outcome: 'no-such-process' }, 'the files still show it, the kernel does not')
  writeProcess(seen.folder, { ...target, state: 'Z' })
})

interface Told {
  delivered?: string
  log?: { level: string; message: string }
  metrics?: string
  status?: NotifierStatus
  outcome?: OutcomeReport
  permission?: PermissionReport
}

/** A pod's namespace, and what a test does with it. */
class Pod {
  readonly folder: string
  readonly #namespace: PodNamespace
  constructor(namespace: PodNamespace, folder: string) {
    this.#namespace = namespace
    this.folder = folder
  }

  get users() {
    return this.#namespace.users
  }

  async receiver(
    name: string,
    spec: Partial<ContainerSpec> = {},
  ): Promise<{ proof: ReturnType<typeof proofIn>; container: Container }> {
    const proof = proofIn(this.folder, `${name}.proof`)
    const command = ['sh', '-c', receiver, 'sh', proof.file]
    const container = await this.#namespace.start({ name, command, cwd: this.folder, ...spec })
    if (spec.command === undefined) await proof.ready()
    return { proof, container }
  }

  async exec(container: Container, name: string) {
    const proof = proofIn(this.folder, name)
    this.#namespace.exec(container, ['sh', '-c', receiver, 'sh', proof.file])
    await proof.ready()
    return proof
  }

  async sidecar(signal: SignalTarget, uid?: number, spec: Partial<ContainerSpec> = {}) {
    const script = join(import.meta.dirname, 'sidecar-process.ts')
    const command = [process.execPath, script, JSON.stringify({ signal, uid })]
    const { process: sidecar } = await this.#namespace.start({
      name: 'akv-injector',
      command,
      stdio: ['pipe', 'pipe', 'inherit'],
      ...spec,
    })
    const told: Told[] = []
    if (sidecar.stdout !== null)
      createInterface(sidecar.stdout).on('line', (line) => told.push(JSON.parse(line) as Told))
    return {
      told,
      notify: (notification: Notification) => sidecar.stdin?.write(`${JSON.stringify(notification)}\n`),
      delivered: (id: string) => until(`${id} delivered`, () => told.some(({ delivered }) => delivered === id)),
      permissions: () => told.flatMap(({ permission }) => permission ?? []),
      /** The last word on everything: what stands after the last outcome. */
      async last(): Promise<Told> {
        const before = told.length
        sidecar.stdin?.write('status\n')
        await until('a status', () => told.slice(before).some(({ status }) => status !== undefined))
        return Object.assign({}, ...told) as Told
      },
      permission: (outcome: string) =>
        until(outcome, () => told.some(({ permission }) => permission?.outcome === outcome)),
    }
  }

  /** A program with that name, as `comm` and `argv[0]` show it. */
  program(name: string): string {
    const file = join(this.folder, name)
    writeFileSync(file, `#!/bin/sh\n${receiver}`)
    chmodSync(file, 0o755)
    return file
  }
}

async function withPod(t: Test, run: (pod: Pod) => Promise<void>): Promise<void> {
  const namespace = await startPodNamespace()
  // The test above has sent real signals on any machine.
  if ('unavailable' in namespace) {
    leaveOut(t, namespace.unavailable)
    return
  }
  t.teardown(() => namespace.close())
  await run(new Pod(namespace, openFolder(t)))
}

void t.test('real processes: only the entry process of the named container gets the signal', async (t) => {
  await withPod(t, async (pod) => {
    const { proof: other } = await pod.receiver('other')
    writeFileSync(join(pod.folder, 'last words'), '')
    const { proof, container } = await pod.receiver('app', { terminationMessagePath: join(pod.folder, 'last words') })
    const shell = await pod.exec(container, 'exec.proof')
    const sidecar = await pod.sidecar({ name: 'SIGHUP', container: 'app' })
    await sidecar.permission('permitted')
    sidecar.notify(change('a', Date.now()))
    await sidecar.delivered('a')
    await until('the signal', () => proof.lines().length > 1)
    t.strictSame(proof.lines(), ['ready', 'HUP'])
    t.strictSame(other.lines(), ['ready'])
    t.strictSame(shell.lines(), ['ready'])
    t.match(sidecar.permissions()[0]?.detail, new RegExp(`^process ${container.pid} \\(sh\\) can be signaled$`))
  })
})

void t.test('real processes: a process behind a shell or adopted by pause is found by name', async (t) => {
  await withPod(t, async (pod) => {
    const [server, daemon] = [pod.program('my-server'), pod.program('my-daemon')]
    const [served, daemonised, elsewhere] = ['served', 'daemonised', 'elsewhere'].map((name) =>
      proofIn(pod.folder, name),
    )
    if (served === undefined || daemonised === undefined || elsewhere === undefined) return
    const script = `('${daemon}' '${daemonised.file}' &); '${server}' '${served.file}' & wait`
    await pod.receiver('app', { command: ['sh', '-c', script] })
    await pod.receiver('other', { command: [server, elsewhere.file] })
    await Promise.all([served, daemonised, elsewhere].map((proof) => proof.ready()))
    for (const [name, proof] of [
      ['my-server', served],
      ['my-daemon', daemonised],
    ] as const) {
      const sidecar = await pod.sidecar({ name: 'SIGUSR1', container: 'app', process: name })
      sidecar.notify(change(name, Date.now()))
      await sidecar.delivered(name)
      await until('the signal', () => proof.lines().length > 1)
    }
    t.strictSame(served.lines(), ['ready', 'USR1'])
    t.strictSame(daemonised.lines(), ['ready', 'USR1'])
    t.strictSame(elsewhere.lines(), ['ready'])
  })
})

void t.test('real processes: a container that is down during ten changes gets one signal', async (t) => {
  await withPod(t, async (pod) => {
    const first = await pod.receiver('app')
    const sidecar = await pod.sidecar({ name: 'SIGHUP', container: 'app' })
    await sidecar.permission('permitted')
    await first.container.kill('SIGKILL')
    await first.container.exited
    for (let i = 0; i < 10; i++) sidecar.notify(change(`r${i}`, Date.now()))
    await until('r9 undelivered', () =>
      sidecar.told.some(({ outcome }) => outcome?.id === 'r9' && outcome.outcome === 'no-such-process'),
    )
    await pod.receiver('app')
    await sidecar.delivered('r9')
    await until('the signal', () => first.proof.lines().length > 2)
    t.strictSame(first.proof.lines(), ['ready', 'ready', 'HUP'])
    t.strictSame(
      sidecar.told.flatMap(({ delivered }) => delivered ?? []),
      ['r9'],
    )
  })
})

void t.test('real processes: SIGTERM ends a process without a handler that is not PID 1', async (t) => {
  await withPod(t, async (pod) => {
    const { container } = await pod.receiver('app', { command: ['sleep', '1000'] })
    const sidecar = await pod.sidecar({ name: 'SIGTERM', container: 'app' })
    sidecar.notify(change('a', Date.now()))
    t.strictSame(await container.exited, { code: null, signal: 'SIGTERM' })
    await sidecar.delivered('a')
  })
})

void t.test("real processes: another user's process is reported at the start, with the remedy", async (t) => {
  await withPod(t, async (pod) => {
    if (pod.users === 'one') {
      leaveOut(t, 'only root can be several users')
      return
    }
    const { proof } = await pod.receiver('app', { uid: 1000 })
    const wrong = await pod.sidecar({ name: 'SIGHUP', container: 'app' }, 65532)
    await wrong.permission('not-permitted')
    t.match(wrong.permissions(), [
      {
        detail:
          /^the sidecar, user 65532, is not permitted to signal process \d+ \(sh\), user 1000: .*run-as-user: "1000"/,
      },
    ])
    wrong.notify(change('a', Date.now()))
    await until('a refusal', () => wrong.told.some(({ outcome }) => outcome?.outcome === 'not-permitted'))
    t.strictSame(proof.lines(), ['ready'])

    const right = await pod.sidecar({ name: 'SIGHUP', container: 'app' }, 1000)
    right.notify(change('a', Date.now()))
    await right.delivered('a')
    await until('the signal', () => proof.lines().length > 1)
    t.strictSame(proof.lines(), ['ready', 'HUP'])
  })
})

void t.test("real processes: a /proc that hides other users' processes is reported", async (t) => {
  await withPod(t, async (pod) => {
    if (pod.users === 'one') {
      leaveOut(t, 'only root can be several users')
      return
    }
    const { proof } = await pod.receiver('app', { uid: 1000 })
    const target = { name: 'SIGHUP', container: 'app' } as const
    for (const hidepid of [1, 2] as const) {
      void t.test(`hidepid=${hidepid}: log, metrics and status report it, and nothing is signaled`, async (t) => {
        const other = await pod.sidecar(target, 65532, { hidepid })
        await other.permission('not-identifiable')
        other.notify(change('a', Date.now()))
        await until('an outcome', () => other.told.some(({ outcome }) => outcome !== undefined))
        const reason = /\/proc hides processes \(hidepid\), so container "app" cannot be found/
        const { outcome, log, metrics = '', status } = await other.last()
        t.match(outcome, { outcome: 'not-identifiable', detail: reason })
        t.match(log, { level: 'warn', message: reason })
        t.match(metrics, /signal_permitted\{outcome="not-identifiable"\} 0\n/)
        t.match(metrics, /notifications_total\{channel="signal",outcome="not-identifiable"\} 1\n/)
        t.match(status, {
          permission: { outcome: 'not-identifiable', detail: reason },
          pending: { id: 'a' },
          targets: [],
        })
        t.strictSame(proof.lines(), ['ready'])
      })
    }
    void t.test('hidepid: a process of the same user is visible and gets its signal', async (t) => {
      const same = await pod.sidecar(target, 1000, { hidepid: 2 })
      await same.permission('permitted')
      same.notify(change('a', Date.now()))
      await same.delivered('a')
      await until('the signal', () => proof.lines().length > 1)
      t.strictSame(proof.lines(), ['ready', 'HUP'])
    })
  })
})
