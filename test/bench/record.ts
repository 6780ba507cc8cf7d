import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { root } from '../demo/bundles.ts'
import { chartsOf } from './charts.ts'
import { chartOf, withRun, type Entry } from './history.ts'
import type { Report } from './results.ts'

/** Writes the results of a run, and next to them charts and, if the run was complete, its entry in the history. */
export function record(file: string, report: Report, { isWhole }: { isWhole: boolean }): void {
  const folder = dirname(file)
  const write = (name: string, svg: string | undefined) => {
    if (svg !== undefined) writeFileSync(join(folder, `${name}.svg`), svg)
  }
  writeFileSync(file, asJson(report))
  for (const [name, svg] of chartsOf(report.results)) write(name, svg)
  if (!isWhole) return
  const path = join(folder, 'history.json')
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Entry[]) : []
  const history = withRun(before, { version: packageJson.version, commit: currentCommit() }, report)
  writeFileSync(path, asJson(history))
  write('sidecar-memory-by-version', chartOf(history, 'sidecar-memory', "The sidecar's anonymous memory, by version"))
  write('webhook-memory-by-version', chartOf(history, 'webhook-memory', "The webhook's anonymous memory, by version"))
}

const asJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** Null outside of a clone. */
function currentCommit(): string | null {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}
