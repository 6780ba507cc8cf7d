import t from 'tap'
import { drawPanels, seriesOf, type Panel } from './panels.ts'

const panel: Panel = {
  title: 'Requests to vaults',
  gridPos: { x: 8, y: 16, w: 8, h: 8 },
  fieldConfig: { defaults: { unit: 'reqps' } },
  targets: [{ expr: 'sum by (vault) (rate(x[1m]))' }],
}

void t.test(
  'dashboard: series have the names of their labels, minutes from the start, and no points without a value',
  async (t) => {
    const values = [
      [60, '2'],
      [90, 'NaN'],
      [120, '3.5'],
    ] as const
    const [series] = seriesOf(
      '{{vault}} {{ operation }}',
      [{ metric: { vault: 'my-kv', operation: 'list' }, values }],
      60,
    )
    t.strictSame(series, {
      name: 'my-kv list',
      points: [
        [0, 2],
        [1, 3.5],
      ],
    })
  },
)

void t.test('dashboard: each panel is a chart at its place, with its unit', async (t) => {
  const svg = drawPanels([{ panel, series: [{ name: 'my-kv', points: [[0, 1]] }] }])
  t.match(svg, '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 576">')
  t.match(svg, '<svg x="400" y="384" width="400" height="192" viewBox=')
  t.match(svg, /Requests to vaults[^]*per second/)
  t.match(drawPanels([{ panel, series: [] }]), /Requests to vaults[^]*nothing in this run/)
})
