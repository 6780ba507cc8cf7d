/**
 * Charts of a bench as SVG, for a browser or a web page:
 *
 *     context.draw('polls', lineChart({
 *       title: 'Requests of 1,000 pods', x: 'minutes', y: 'requests per second',
 *       series: [{ name: 'all', points: [[0, 12], [1, 15]] }],
 *     }))
 *     context.draw('memory', barChart({
 *       title: 'Anonymous memory', unit: 'MB', bars: [{ name: 'sidecar', value: 18.2 }, { name: 'bare node', value: 9 }],
 *     }))
 *
 * `draw` writes `<name>.svg` beside the results. Both functions are pure: the same figures give the same text.
 */

export interface Series {
  name: string
  /** In ascending order of x. */
  points: readonly (readonly [x: number, y: number])[]
}

export interface LineChart {
  title: string
  /** The labels of the axes: a quantity and its unit. */
  x: string
  y: string
  series: readonly Series[]
  /** A horizontal line with a label: a limit or a target. */
  limit?: { name: string; y: number }
}

export interface BarChart {
  title: string
  unit: string
  /** From top to bottom. */
  bars: readonly { name: string; value: number }[]
}

const width = 860
/** Distinguishable with any color vision ({@link https://jfly.uni-koeln.de/color/}). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9']
const colourOf = (index: number) => colours[index % colours.length] ?? 'black'

/** Draws a line for each series over common axes that begin at 0. @throws if there is no point */
export function lineChart({ title, x, y, series, limit }: LineChart): string {
  const height = 400
  const plot = { left: 90, right: width - 20, top: 70, bottom: height - 50 }
  const points = series.flatMap((one) => one.points)
  if (points.length === 0) throw new Error(`there is nothing to draw: ${title}`)
  const xTicks = ticks(points.reduce((most, [at]) => Math.max(most, at), 0))
  const yTicks = ticks(points.reduce((most, [, at]) => Math.max(most, at), limit?.y ?? 0))
  const toX = (value: number) => plot.left + (value / last(xTicks)) * (plot.right - plot.left)
  const toY = (value: number) => plot.bottom - (value / last(yTicks)) * (plot.bottom - plot.top)
  const across = (value: number, style: string) =>
    `<path d="M${plot.left},${round(toY(value))}H${plot.right}" ${style}/>`
  const legend = series.map(({ name }, index) => {
    const left = plot.left + index * ((plot.right - plot.left) / series.length)
    return `<path d="M${round(left)},48h18" stroke="${colourOf(index)}" stroke-width="3"/>${text(left + 24, 52, name)}`
  })
  const lines = series.map(({ points: own }, index) => {
    const path = own.map(([px, py]) => `${round(toX(px))},${round(toY(py))}`).join('L')
    return own.length === 0 ? '' : `<path d="M${path}" fill="none" stroke="${colourOf(index)}" stroke-width="1.5"/>`
  })
  return svg(height, title, [
    ...yTicks.flatMap((value) => [
      across(value, `stroke="${value === 0 ? '#444' : '#ddd'}"`),
      text(plot.left - 8, toY(value) + 4, label(value), 'end'),
    ]),
    ...xTicks.map((value) => text(toX(value), plot.bottom + 18, label(value), 'middle')),
    text((plot.left + plot.right) / 2, height - 12, x, 'middle'),
    `<g transform="translate(20,${(plot.top + plot.bottom) / 2}) rotate(-90)">${text(0, 0, y, 'middle')}</g>`,
    ...legend,
    ...lines,
    ...(limit
      ? [across(limit.y, 'stroke="#444" stroke-dasharray="6 4"'), text(plot.right, toY(limit.y) - 6, limit.name, 'end')]
      : []),
  ])
}

/** Draws a horizontal bar for each value, from 0 on. @throws if there is no value */
export function barChart({ title, unit, bars }: BarChart): string {
  if (bars.length === 0) throw new Error(`there is nothing to draw: ${title}`)
  const names = 240
  const most = Math.max(...bars.map(({ value }) => value)) || 1
  const scale = (width - names - 130) / most
  const rows = bars.flatMap(({ name, value }, index) => {
    const top = 50 + index * 34
    const length = Math.max(0, value * scale)
    return [
      text(names - 10, top + 17, name, 'end'),
      `<rect x="${names}" y="${top}" width="${round(length)}" height="24" fill="${colourOf(index)}"/>`,
      text(names + length + 8, top + 17, `${label(value)} ${unit}`),
    ]
  })
  return svg(60 + bars.length * 34, title, rows)
}

function svg(height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="20" y="28" font-size="17">${escape(title)}</text>`,
    ...parts.filter((part) => part !== ''),
    '</svg>\n',
  ].join('\n')
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="#222">${escape(words)}</text>`
}

/**
 * Returns the marks of an axis from 0 to the first round number at or above `most`, at most 9; to 1 if all values are
 * 0.
 */
function ticks(most: number): number[] {
  if (most === 0) return ticks(1)
  const size = 10 ** Math.floor(Math.log10(most))
  const step = ([0.2, 0.25, 0.5, 1].find((part) => most / (part * size) <= 8) ?? 2) * size
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => Number((index * step).toPrecision(6)))
}

const last = (values: readonly number[]): number => values.at(-1) ?? 1
const label = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 4 })
const round = (value: number): number => Math.round(value * 10) / 10
const escape = (words: string): string => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
