/**
 * `npm run bench`: measures what every injected pod and every pod creation pays, against floors measured in the same run.
 * Prints a table and writes bench/results.json, beside it charts and what it adds to history.json. Load goes to the loopback
 * address only. What needs a cluster installs itself on the one that KUBECONFIG names, and is left out elsewhere.
 *
 * --only ID,...     only these rows; the file then has only these too, and the history stays as it is
 * --compare FILE    how far each row is from an earlier file's
 * --peers DIR       also beside the webhook of a folder with image.tar, manifests.yaml and pod.yaml
 * --out FILE        another file to write; charts and the history go to its folder
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../demo/bundles.ts'
import { benches } from './benches.ts'
import { record } from './record.ts'
import { machine, toResult, type Report } from './results.ts'
import { soakMs } from './soak.ts'
import { table } from './table.ts'
import { withBenchContext } from './bench-context.ts'

/** Milliseconds after which a run is aborted. */
const limit = 45 * 60_000 + soakMs

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { only: text, compare: text, out: text, peers: text } })
const only = values.only?.split(',').map((id) => id.trim())
const known = benches.flatMap(({ ids }) => ids)
const unknown = only?.filter((id) => !known.includes(id)) ?? []
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')}; there are ${known.join(', ')}.`)
  process.exit(1)
}
// Read before the run, which may replace the file.
const earlier = values.compare === undefined ? undefined : (JSON.parse(readFileSync(values.compare, 'utf8')) as Report)

const report: Report = { date: new Date().toISOString(), machine: machine(), results: [] }
const left: [id: string, needs: string][] = []
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(new Error(signal)))
const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(limit)])

const file = values.out ?? join(root, 'bench/results.json')
const output = dirname(file)
mkdirSync(output, { recursive: true })

try {
  await withBenchContext({ signal, output, peers: values.peers }, async (context) => {
    for (const { ids, lacks, run } of benches) {
      const wanted = ids.filter((id) => only?.includes(id) ?? true)
      if (wanted.length === 0) continue
      const missing = await lacks?.(context)
      if (missing !== undefined) {
        for (const id of wanted) left.push([id, missing])
        continue
      }
      console.error(`measuring ${wanted.join(', ')}`)
      try {
        const measured = await run(context)
        report.results.push(...measured.map(toResult).filter(({ id }) => wanted.includes(id)))
      } catch (error) {
        signal.throwIfAborted()
        // The measurements of the others are kept.
        console.error(`bench: ${wanted.join(', ')}: ${(error as Error).message}`)
        process.exitCode = 1
      }
    }
  })
} catch (error) {
  console.error(`bench: ${(error as Error).message}`)
  process.exit(1)
}

record(file, report, { isWhole: only === undefined })
console.log(table(report.results, earlier))
for (const [id, what] of left) console.log(`left out: ${id} (needs ${what})`)
process.exit()
