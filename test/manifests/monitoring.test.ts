import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { metrics as coordinatorMetrics } from '../../coordinator/metrics.ts'
import { podStates } from '../../shared/coordination/rotation.ts'
import { metrics as sidecarMetrics } from '../../sidecar/report/metrics.ts'
import { metrics as syncMetrics } from '../../sync/metrics.ts'
import { metrics as webhookMetrics } from '../../webhook/report/metrics.ts'
import { missReasons, denyReasons } from '../../webhook/reasons.ts'
import { ofKind } from './manifest-fields.ts'
import { manifests, read, written, type Manifest } from './rendered.ts'

const folder = join(manifests, 'monitoring')
type Known = { name: string; type: string; labels: readonly string[] }
const known = new Map<string, { labels: readonly string[] }>()
const all = [webhookMetrics, sidecarMetrics, syncMetrics, coordinatorMetrics].flatMap((metrics) =>
  Object.values<Known>(metrics),
)
for (const { name, type, labels } of all) {
  const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
  for (const suffix of suffixes) known.set(name + suffix, { labels })
}

interface Rule {
  alert: string
  expr: string
  for: string
  labels: { severity: string }
  annotations: { summary: string; description: string }
}
const [alerts] = read(readFileSync(join(folder, 'alerts.yaml'), 'utf8')) as (Manifest & {
  spec: { groups: { rules: Rule[] }[] }
})[]
const rules = alerts?.spec.groups.flatMap(({ rules }) => rules) ?? []

const monitors = ofKind(written(folder), 'PodMonitor') as (Manifest & { spec: { podTargetLabels?: string[] } })[]
const podLabels = monitors
  .flatMap(({ spec }) => spec.podTargetLabels ?? [])
  .map((label) => label.replaceAll(/\W/g, '_'))

interface Panel {
  id: number
  title: string
  /** In a grid with 24 columns. */
  gridPos: { x: number; y: number; w: number; h: number }
  targets: { expr: string }[]
}
const dashboard = JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8')) as { panels: Panel[] }
const questions = [
  ...rules.map(({ alert, expr }) => ({ what: alert, expr })),
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ what: title, expr }))),
]

void t.test('monitoring: alerts and dashboard use existing metrics and labels', async (t) => {
  t.ok(questions.length > 20)
  for (const { what, expr } of questions) {
    const names = expr.match(/\bakv_injector_\w+/g) ?? []
    t.ok(names.length > 0, `${what} asks for something`)
    for (const name of names) t.ok(known.has(name), `${what}: ${name}`)
    // Prometheus itself adds where a sample comes from.
    const added = ['namespace', 'pod', 'le', ...podLabels]
    for (const [, name = '', selector = ''] of expr.matchAll(/(\bakv_injector_\w+)\{([^}]*)\}/g))
      for (const [, label = ''] of selector.matchAll(/(\w+)=/g))
        t.ok([...added, ...(known.get(name)?.labels ?? [])].includes(label), `${what}: ${name} has ${label}`)
    const labels = [...added, ...names.flatMap((name) => known.get(name)?.labels ?? [])]
    for (const [, by = ''] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
      for (const label of by.split(',')) t.ok(labels.includes(label.trim()), `${what}: by ${label.trim()}`)
  }
})

void t.test('monitoring: label values come from the tables in the code', async (t) => {
  const reasons = [...Object.keys(missReasons), ...Object.keys(denyReasons)]
  for (const { what, expr } of questions)
    for (const [, values = ''] of expr.matchAll(/reason=~?"([^"]*)"/g))
      for (const value of values.split('|')) t.ok(reasons.includes(value), `${what}: ${value}`)
  for (const { what, expr } of questions.filter((one) => one.expr.includes('coordinator_pods')))
    for (const [, values = ''] of expr.matchAll(/state=~?"([^"]*)"/g))
      for (const value of values.split('|')) t.ok(Object.hasOwn(podStates, value), `${what}: ${value}`)
})

void t.test('monitoring: every alert has a summary and a remedy', async (t) => {
  t.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  for (const { alert, for: duration, labels, annotations } of rules) {
    t.match(duration, /^\d+[mh]$/, `${alert} waits a while`)
    t.match(labels.severity, /^(warning|critical)$/)
    t.match(annotations, { summary: /\.$/, description: /\.$/ }, alert)
  }
})

void t.test('monitoring: every object names its namespace', async (t) => {
  for (const { kind, metadata } of written(folder)) t.equal(metadata.namespace, 'akv-injector-system', kind)
})

/** The cells of the grid that a panel covers. */
const cellsOf = ({ gridPos: { x, y, w, h } }: Panel): string[] =>
  Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`)

void t.test('monitoring: panels do not overlap, and the picture of the documentation shows each', async (t) => {
  const { panels } = dashboard
  const picture = readFileSync(join(manifests, '../docs/images/dashboard.svg'), 'utf8')
  const missing = panels.map(({ title }) => title).filter((title) => !picture.includes(`>${title}<`))
  t.strictSame(missing, [], 'node test/dashboard/main.ts draws them')
  const cells = panels.flatMap(cellsOf)
  t.equal(new Set(cells).size, cells.length, 'no cell has two panels')
  t.ok(
    panels.every(({ gridPos: { x, w } }) => x + w <= 24),
    'all are within the grid',
  )
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length, 'ids are unique')
})
