import { barChart } from './chart.ts'
import type { Report } from './results.ts'

/** The part of a run that is kept in bench/history.json, so that a regression shows. */
export interface Entry {
  version: string
  /** Git's short commit; null outside of a clone. */
  commit: string | null
  date: string
  /** See Machine. */
  load: number
  /** The median, by ID. */
  values: Record<string, number>
}

/** Figures that can be compared between machines; times cannot. */
const kept = [
  'sidecar-memory',
  'sidecar-rss',
  'webhook-memory',
  'webhook-rss',
  'sidecar-bundle',
  'sidecar-bundle-all',
  'image-layer',
  'poll-requests',
]

/** Returns the history with a run at its end, which replaces an earlier one of the same version and commit. */
export function withRun(
  history: readonly Entry[],
  { version, commit }: Pick<Entry, 'version' | 'commit'>,
  report: Report,
): Entry[] {
  const values = report.results.filter(({ id }) => kept.includes(id)).map(({ id, value }) => [id, value] as const)
  const others = history.filter((entry) => entry.version !== version || entry.commit !== commit)
  return [
    ...others,
    { version, commit, date: report.date, load: report.machine.load, values: Object.fromEntries(values) },
  ]
}

/** Returns a chart of one figure by version, the oldest first; undefined if no run has it. */
export function chartOf(history: readonly Entry[], id: string, title: string): string | undefined {
  const bars = history.flatMap(({ version, commit, values }) => {
    const value = values[id]
    return value === undefined ? [] : [{ name: commit === null ? version : `${version} (${commit})`, value }]
  })
  return bars.length === 0 ? undefined : barChart({ title, unit: 'MB', bars })
}
