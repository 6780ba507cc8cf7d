import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'

interface Run {
  code: number | null
  /** `ok` and `FAIL` lines, without number and time. */
  steps: string[]
  lines: string[]
}

/** Runs the demo as a process. Checks that nothing of it is left, neither processes nor files. */
async function runDemo(t: Test, args: string[], onLine: (line: string, pid: number) => void = () => {}): Promise<Run> {
  const tmp = join(t.testdir({ tmp: {} }), 'tmp')
  // In a session of its own, by which what it starts is found again.
  const demo = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    detached: true,
    env: { ...process.env, TMPDIR: tmp },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const pid = demo.pid ?? 0
  const lines: string[] = []
  let atWork = 0
  for (const stream of [demo.stdout, demo.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (line.includes('the app, which reads')) atWork = startedBy(pid, tmp).length
      onLine(line, pid)
    })
  }
  const { promise, resolve } = Promise.withResolvers<number | null>()
  demo.on('close', resolve)
  const code = await promise
  const steps = lines.flatMap((line) => /^(ok|FAIL) +\d+ +\d+\.\d\d s {2}(.*)/.exec(line)?.slice(1).join(' ') ?? [])
  if (existsSync('/proc/self/stat')) {
    t.same(startedBy(pid, tmp), [], 'nothing that it started is left')
    // Otherwise the line above would prove nothing.
    if (steps.some((step) => step.startsWith('ok start the app'))) t.ok(atWork >= 3, `${atWork} processes were seen`)
  }
  t.same(readdirSync(tmp), [], 'no file is left')
  return { code, steps, lines }
}

/** The processes of a session, and those that work in a folder. */
function startedBy(session: number, folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        // After the name: state, parent, group, session (proc_pid_stat(5)).
        const [, , , sid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return Number(sid) === session || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
      } catch {
        return false
      }
    })
}

const fingerprints = ({ lines }: Run) => lines.flatMap((line) => /db-password has SHA-256 (\w+)/.exec(line)?.[1] ?? [])

const scenario = [
  'ok start a Key Vault emulator over TLS',
  'ok start the webhook over HTTPS',
  'ok post an AdmissionReview of a new pod',
  'ok run the sidecar with what the patch gives it',
  'ok wait until the sidecar is ready',
  'ok start the app, which reads db-password',
  'ok rotate db-password in the vault',
  'ok see the app read the new value',
  'ok end all of it',
]
const names = ({ steps }: Run) => steps.map((step) => step.split(': ')[0])

void t.test('demo: a rotated secret reaches the app, by signal if the system allows it', async (t) => {
  const run = await runDemo(t, [])
  t.equal(run.code, 0, 'exit code', { lines: run.lines })
  t.same(names(run).slice(-scenario.length), scenario)
  const [first, second] = fingerprints(run)
  t.ok(first && second && first !== second, 'the app shows another fingerprint')
  const isNamespace = run.lines.some((line) => line.includes('the app is told by a signal'))
  t.ok(run.steps.some((step) => step.includes(isNamespace ? 'it says: SIGHUP' : 'it says: POST /reload')))
  t.ok(
    run.lines.some((line) => line.includes('mountPath: /mnt/secrets, readOnly: true')),
    'the patch is shown',
  )
  t.ok(
    run.lines.some((line) => /db-password +-> \.\.data\/db-password {2}\(0444 24 bytes\)/.test(line)),
    'so are the files',
  )
})

void t.test('demo: without a PID namespace the app is notified through notify-url', async (t) => {
  const run = await runDemo(t, ['--notify', 'url'])
  t.equal(run.code, 0, 'exit code', { lines: run.lines })
  t.same(names(run).slice(-scenario.length), scenario)
  t.ok(run.steps.some((step) => step.includes('it says: POST /reload')))
})

void t.test('demo: a failed step is named with its reason, here a sidecar that gives up', async (t) => {
  const script = join(import.meta.dirname, 'refused-sidecar.mjs')
  const run = await runDemo(t, ['--sidecar', script])
  t.equal(run.code, 1)
  t.match(
    run.steps.at(-1),
    'FAIL wait until the sidecar is ready: vault shop-kv, secret db-password: 403 ForbiddenByRbac',
  )
  t.match(run.lines.at(-1), 'demo failed at step "wait until the sidecar is ready"')
})

void t.test('demo: Ctrl-C ends it and every process it started', async (t) => {
  const run = await runDemo(t, [], (line, pid) => {
    if (line.includes('run the sidecar')) process.kill(-pid, 'SIGINT')
  })
  t.equal(run.code, 1)
  t.match(run.steps.at(-1), 'FAIL wait until the sidecar is ready: stopped by SIGINT')
})

void t.test('demo: an invalid option is named', async (t) => {
  const run = await runDemo(t, ['--notify', 'telepathy'])
  t.equal(run.code, 1)
  t.match(run.lines.join('\n'), '--notify takes signal or url')
})
