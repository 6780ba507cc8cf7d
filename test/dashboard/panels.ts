import { lineChart, type Series } from '../bench/chart.ts'

/** What the dashboard's file says of a panel, as far as it is drawn here. */
export interface Panel {
  title: string
  /** In a grid with 24 columns. */
  gridPos: { x: number; y: number; w: number; h: number }
  fieldConfig?: { defaults?: { unit?: string } }
  targets: readonly { expr: string; legendFormat?: string }[]
}

/** One series of an answer to `/api/v1/query_range`: times in seconds, and values as text. */
export interface Matrix {
  metric: Readonly<Record<string, string>>
  values: readonly (readonly [time: number, value: string])[]
}

/** The pixels of a cell of the grid. */
const cell = { width: 50, height: 24 }
const units: Readonly<Record<string, string>> = { reqps: 'per second', s: 'seconds', short: 'count' }

/** Returns the names and values of a target's series, with `{{label}}` replaced as Grafana does. @param from seconds since 1970 */
export const seriesOf = (legendFormat: string, matrices: readonly Matrix[], from: number): Series[] =>
  matrices.map(({ metric, values }) => ({
    name: legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => metric[label] ?? '').trim(),
    points: values
      .map(([time, value]) => [(time - from) / 60, Number(value)] as const)
      // A quantile of nothing is not a number.
      .filter(([, value]) => Number.isFinite(value)),
  }))

/** Draws panels at their places, each as a chart of its own; one without data says so. */
export function drawPanels(panels: readonly { panel: Panel; series: readonly Series[] }[]): string {
  const right = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.x + gridPos.w))
  const bottom = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h))
  const size = `viewBox="0 0 ${right * cell.width} ${bottom * cell.height}"`
  const drawn = panels.map(({ panel, series }) => {
    const { x, y, w, h } = panel.gridPos
    const unit = panel.fieldConfig?.defaults?.unit ?? 'short'
    const isEmpty = series.every(({ points }) => points.length === 0)
    const drawable = isEmpty ? [{ name: 'nothing in this run', points: [[0, 0]] as const }] : series
    const chart = lineChart({ title: panel.title, x: 'minutes', y: units[unit] ?? unit, series: drawable })
    const place = `x="${x * cell.width}" y="${y * cell.height}" width="${w * cell.width}" height="${h * cell.height}"`
    return chart.replace(/^<svg xmlns="[^"]*"/, `<svg ${place}`)
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${drawn.join('\n')}\n</svg>\n`
}
