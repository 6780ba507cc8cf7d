import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundles } from '../demo/bundles.ts'
import type { Bench } from './bench.ts'
import { podWithSecrets, runSidecar } from './sidecar-run.ts'
import type { BenchContext } from './bench-context.ts'

const dist = dirname(bundles.sidecar)
/** Returns kilobytes of 1000 bytes. */
const size = (files: string[]) => files.reduce((sum, file) => sum + statSync(file).size, 0) / 1000
const chunks = (program: string) =>
  readdirSync(dist)
    .filter((name) => name === `${program}.js` || (name.startsWith(`${program}-`) && name.endsWith('.js')))
    .map((name) => join(dist, name))

/** The size of the code: what a sidecar with plain secrets loads, and everything. */
export const bundleSize: Bench = {
  ids: ['sidecar-bundle', 'sidecar-bundle-all', 'webhook-bundle'],
  async run(context) {
    return [
      { id: 'sidecar-bundle', unit: 'kB', samples: [size(await loaded(context))], target: { atMost: 600 } },
      { id: 'sidecar-bundle-all', unit: 'kB', samples: [size(chunks('sidecar'))], target: { atMost: 1300 } },
      { id: 'webhook-bundle', unit: 'kB', samples: [size(chunks('webhook'))] },
    ]
  },
}

/** Returns the files of dist/ that a ready sidecar has loaded: V8 lists every script when it reports coverage. */
async function loaded(context: BenchContext): Promise<string[]> {
  const folder = context.folder()
  const sidecar = await runSidecar(context, await podWithSecrets(context, 10, '1h'), { NODE_V8_COVERAGE: folder })
  await sidecar.process.stop(5000)
  const reports = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
  const urls = reports.flatMap((text) => (JSON.parse(text) as { result: { url: string }[] }).result)
  const files = urls
    .map(({ url }) => url)
    .filter((url) => url.startsWith('file:'))
    .map((url) => fileURLToPath(url))
  const own = [...new Set(files)].filter((file) => dirname(file) === dist)
  if (own.length === 0) throw new Error('the sidecar left no list of what it loaded')
  return own
}
