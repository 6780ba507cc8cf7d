import { barChart } from './chart.ts'
import type { Report } from './results.ts'

/** What is kept of a run in bench/history.json, so that a regression shows. */
export interface Entry {
  version: string
  /** Of git, short; null where there is none. */
  commit: string | null
  date: string
  /** See Machine. */
  load: number
  /** By id: the median. */
  values: Record<string, number>
}

/** Figures that hold on any machine, which times do not. */
const kept = ['sidecar-memory', 'sidecar-rss', 'webhook-memory', 'webhook-rss', 'sidecar-bundle', 'sidecar-bundle-all', 'image-layer', 'poll-requests'] // prettier-ignore

/** The history with a run at its end, in place of an earlier one of the same version and commit. */
export function withRun(
  history: readonly Entry[],
  { version, commit }: Pick<Entry, 'version' | 'commit'>,
  report: Report,
): Entry[] {
  // prettier-ignore
  const values = report.results.filter(({ id }) => kept.includes(id)).map(({ id, value }) => [id, value] as const)
  const others = history.filter((entry) => entry.version !== version || entry.commit !== commit)
  return [...others, { version, commit, date: report.date, load: report.machine.load, values: Object.fromEntries(values) }] // prettier-ignore
}

/** A chart of one figure over the versions, the oldest first; undefined where no run has it. */
export function chartOf(history: readonly Entry[], id: string, title: string): string | undefined {
  const bars = history.flatMap(({ version, commit, values }) => {
    const value = values[id]
    return value === undefined ? [] : [{ name: commit === null ? version : `${version} (${commit})`, value }]
  })
  return bars.length === 0 ? undefined : barChart({ title, unit: 'MB', bars })
}
