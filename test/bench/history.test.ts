import t from 'tap'
import { chartOf, withRun } from './history.ts'
import { machine, toResult, type Report } from './results.ts'

const report = (memory: number, date = '2026-01-01'): Report => ({
  date,
  machine: machine(),
  results: [
    toResult({ id: 'sidecar-memory', unit: 'MB', samples: [memory] }),
    toResult({ id: 'webhook-p99', unit: 'ms', samples: [1] }),
  ],
})

void t.test('bench history: a run replaces the earlier one of the same commit', async (t) => {
  const first = withRun([], { version: '1.0.0', commit: 'aaa' }, report(20))
  t.match(first, [{ version: '1.0.0', commit: 'aaa', values: { 'sidecar-memory': 20 } }])
  t.notHas(first[0]?.values, { 'webhook-p99': 1 })
  const two = withRun(first, { version: '1.0.0', commit: 'bbb' }, report(19))
  const again = withRun(two, { version: '1.0.0', commit: 'aaa' }, report(21, '2026-02-01'))
  t.match(again, [
    { commit: 'bbb', values: { 'sidecar-memory': 19 } },
    { commit: 'aaa', date: '2026-02-01', values: { 'sidecar-memory': 21 } },
  ])
  t.equal(again.length, 2)
})

void t.test('bench history: the chart has a bar for each version that has the figure', async (t) => {
  const history = withRun(
    withRun([], { version: '1', commit: 'aaa' }, report(20)),
    { version: '2', commit: null },
    report(21),
  )
  const chart = chartOf(history, 'sidecar-memory', 'Memory') ?? ''
  t.match(chart, '1 (aaa)')
  t.equal(chart.match(/<rect x=/g)?.length, 2)
  t.equal(chartOf(history, 'image-layer', 'Size'), undefined)
})
