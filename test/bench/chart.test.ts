import t from 'tap'
import { barChart, lineChart } from './chart.ts'

/** The numbers of each path that is a series' line. */
const linesOf = (svg: string) =>
  Array.from(svg.matchAll(/<path d="M([^"H]*)" fill="none"/g), ([, path = '']) =>
    path.split('L').map((pair) => pair.split(',').map(Number)),
  )

void t.test('bench chart: lines share one scale that starts at 0', async (t) => {
  const svg = lineChart({
    ...{ title: 'a & b', x: 'minutes', y: 'requests per second', limit: { name: 'limit', y: 50 } },
    series: [
      {
        name: 'one',
        points: [
          [0, 0],
          [10, 100],
        ],
      },
      {
        name: 'two',
        points: [
          [0, 50],
          [5, 50],
        ],
      },
    ],
  })
  const [one = [], two = []] = linesOf(svg)
  t.same(one, [
    [90, 350],
    [840, 70],
  ])
  t.same(two, [
    [90, 210],
    [465, 210],
  ])
  for (const words of ['a &amp; b', 'minutes', 'requests per second', 'one', 'two', 'limit', '>100<', '>10<']) {
    t.match(svg, words)
  }
})

const scales = [
  { most: 1, top: '1' },
  { most: 8.3, top: '10' },
  { most: 0.03, top: '0.03' },
  { most: 1234, top: '1,400' },
  { most: 0, top: '1' },
]
for (const { most, top } of scales) {
  void t.test(`bench chart: an axis for values up to ${most} ends at ${top}`, async (t) => {
    const svg = lineChart({ title: '', x: '', y: '', series: [{ name: '', points: [[0, most]] }] })
    const labels = Array.from(svg.matchAll(/text-anchor="end"[^>]*>([\d.,]+)</g), ([, label]) => label)
    t.equal(labels.at(-1), top)
    t.ok(labels.length <= 10)
  })
}

void t.test('bench chart: bars are proportional to their values', async (t) => {
  const svg = barChart({
    title: 'memory',
    unit: 'MB',
    bars: [
      { name: 'sidecar', value: 20 },
      { name: 'node', value: 5 },
    ],
  })
  const [sidecar = 0, node = 0] = Array.from(svg.matchAll(/<rect x="240"[^>]*width="([\d.]+)"/g), ([, size]) =>
    Number(size),
  )
  t.equal(sidecar / node, 4)
  t.match(svg, /20 MB/)
})

void t.test('bench chart: an empty chart is an error', async (t) => {
  t.throws(() => lineChart({ title: 'empty', x: '', y: '', series: [{ name: '', points: [] }] }), /empty/)
  t.throws(() => barChart({ title: 'empty', unit: '', bars: [] }), /empty/)
})
