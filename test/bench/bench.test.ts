import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { Report } from './results.ts'

const main = join(import.meta.dirname, 'main.ts')
const run = promisify(execFile)

// No figure is checked, because a busy machine is not a defect.
void t.test('bench: --only and --out write the selected rows and leave nothing behind', async (t) => {
  const folder = t.testdir({ tmp: {} })
  const out = join(folder, 'results.json')
  // Without a cluster, because a bench would install the injector there.
  const env = { ...process.env, TMPDIR: join(folder, 'tmp'), KUBECONFIG: '' }
  const args = [main, '--only', 'machine-noise,sidecar-bundle,webhook-bundle,image-layer,pod-start', '--out', out]
  const { stdout } = await run(process.execPath, args, { env })
  const report = JSON.parse(readFileSync(out, 'utf8')) as Report
  t.same(
    report.results.map(({ id }) => id),
    ['machine-noise', 'sidecar-bundle', 'webhook-bundle', 'image-layer'],
  )
  for (const row of report.results) {
    t.same(Object.keys(row), ['id', 'value', 'unit', 'min', 'max', 'floor', 'ratio', 'target', 'met'])
    t.ok(row.value > 0)
  }
  t.match(stdout, /^sidecar-bundle +\d/m)
  t.match(stdout, 'left out: pod-start (needs a cluster, named by KUBECONFIG)')
  t.same(readdirSync(env.TMPDIR), [])
})

void t.test('bench: an unknown id is an error that lists the known ones', async (t) => {
  const failure = await run(process.execPath, [main, '--only', 'sidecar-memori']).catch((error: unknown) => error)
  t.match(failure, { code: 1, stderr: /There is no sidecar-memori; there are machine-noise, sidecar-memory, / })
})
