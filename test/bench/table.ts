import type { Report, Result } from './results.ts'

const header = ['id', 'median', 'min', 'max', 'unit', 'floor', 'ratio', 'target', 'met']

/** Returns the results as a table; with an earlier report, each row shows the difference. */
export function table(results: Result[], earlier?: Pick<Report, 'results'>): string {
  const before = new Map(earlier?.results.map((result) => [result.id, result]))
  const rows = results.map((result) => [
    result.id,
    ...[result.value, result.min, result.max].map(number),
    result.unit,
    number(result.floor),
    result.ratio === null ? '' : `${result.ratio.toFixed(2)}x`,
    result.target ?? '',
    result.met === null ? '' : result.met ? 'yes' : 'NO',
    ...(earlier ? [change(result, before.get(result.id))] : []),
  ])
  return align([earlier ? [...header, 'change'] : header, ...rows])
}

const number = (value: number | null) =>
  value === null ? '' : value.toLocaleString('en', { maximumFractionDigits: 2 })

/** A change within the spread of the runs is marked as such. */
function change(now: Result, before: Result | undefined): string {
  if (before === undefined) return 'new'
  const percent = `${now.value < before.value ? '' : '+'}${((now.value / before.value - 1) * 100).toFixed(1)} %`
  return now.min <= before.max && before.min <= now.max ? `${percent} (noise)` : percent
}

function align(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const isNumeric = (column: number) => [1, 2, 3, 5, 6].includes(column)
  const cell = (text: string, column: number) =>
    isNumeric(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n')
}
