/**
 * `npm run demo`: the whole scenario on one machine, without a cluster and without Azure. Needs nothing but Node and npm.
 *
 * --notify signal|url   how the app is told; without it by a signal where this system lets us make a pid namespace
 * --sidecar FILE        what to run in place of dist/sidecar.js
 * --webhook FILE        what to run in place of dist/webhook.js
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { bundles } from './bundles.ts'
import { Supervisor } from './processes.ts'
import { openRuntime } from './open-runtime.ts'
import { createSteps, StepFailure } from './steps.ts'
import { runScenario } from './scenario.ts'

/** Milliseconds that the demo takes at most. */
const limit = 50_000
/** Milliseconds between SIGTERM and SIGKILL: the sidecar and the app end at once, the webhook serves on for a while. */
const graceTime = 500

const { values } = parseArgs({
  options: { notify: { type: 'string' }, sidecar: { type: 'string' }, webhook: { type: 'string' } },
})
const { notify: wanted } = values
if (wanted !== undefined && wanted !== 'signal' && wanted !== 'url') {
  console.error('--notify takes signal or url')
  process.exit(1)
}

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => stop.abort(new Error(`stopped by ${name}`)))
}
const overdue = setTimeout(() => stop.abort(new Error(`the demo takes longer than ${limit / 1000} s`)), limit)

const started = performance.now()
const folder = mkdtempSync(join(tmpdir(), 'akv-injector-demo-'))
const supervisor = new Supervisor()
const ends: (() => Promise<void>)[] = []
/** Like the end of a pod: each process gets SIGTERM first. */
async function endAll(): Promise<void> {
  await supervisor.stopAll(graceTime)
  for (const end of ends.splice(0).reverse()) await end()
  rmSync(folder, { recursive: true, force: true })
}
/** At once, whatever happened. */
async function dropAll(): Promise<void> {
  await Promise.allSettled(ends.splice(0).map((end) => end()))
  await supervisor.stopAll(0)
  rmSync(folder, { recursive: true, force: true })
}
process.on('exit', () => supervisor.killNow())

let code = 0
try {
  const step = createSteps({ signal: stop.signal })
  const { runtime, notify } = await step('prepare to run containers', async (say) => {
    const opening = openRuntime(supervisor, join(folder, 'containers'), wanted)
    // Registered before it exists, so that a stopped demo leaves nothing behind either.
    ends.push(async () => (await opening).runtime.close())
    const opened = await opening
    say(opened.sentence)
    return opened
  })
  await runScenario({
    step,
    signal: stop.signal,
    print: (line) => console.log(`       ${line}`),
    supervisor,
    runtime,
    notify,
    programs: {
      sidecar: resolve(values.sidecar ?? bundles.sidecar),
      webhook: resolve(values.webhook ?? bundles.webhook),
    },
    folder,
    onEnd: (end) => ends.push(end),
  })
  await step('end all of it', endAll)
  console.log(`done in ${((performance.now() - started) / 1000).toFixed(1)} s`)
} catch (error) {
  code = 1
  console.error(
    error instanceof StepFailure
      ? `demo failed at step "${error.step}"`
      : `demo failed: ${(error as Error).stack ?? String(error)}`,
  )
}
clearTimeout(overdue)
await Promise.race([dropAll(), sleep(3000)])
process.exit(code)
