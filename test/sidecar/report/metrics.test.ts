import t from 'tap'
import { metrics, Registry, type Metric } from '../../../sidecar/report/metrics.ts'

const all = Object.values<Metric>(metrics)

void t.test('metrics: names follow the conventions that promtool checks', async (t) => {
  t.equal(new Set(all.map(({ name }) => name)).size, all.length, 'each once')
  for (const { name, type, help, labels, buckets = [] } of all) {
    t.match(name, /^akv_injector_sidecar_[a-z][a-z_]*[a-z]$/)
    t.equal(name.endsWith('_total'), type === 'counter', `${name}: a counter, and nothing else, ends in _total`)
    t.notMatch(name, /_(count|sum|bucket)$/, `${name}: these are a histogram's own`)
    t.notMatch(name, /_(counter|gauge|histogram)(_|$)/, `${name}: does not name its type`)
    t.notMatch(name, /_(ms|milliseconds|minutes|hours|kilobytes|kb|mb|megabytes)(_|$)/, `${name}: base units`)
    t.notMatch(name, /[a-z][A-Z]/, `${name}: no camel case`)
    t.match(help, /^[A-Z0-9].*\.$/, `${name}: a sentence helps`)
    t.notOk(
      labels.some((label) => label === 'le' || !/^[a-z_]+$/.test(label)),
      `${name}: labels`,
    )
    t.strictSame(
      [...buckets].sort((one, other) => one - other),
      [...buckets],
      `${name}: buckets rise`,
    )
    t.equal(type === 'histogram', buckets.length > 0)
  }
})

void t.test('metrics: counted values are printed', async (t) => {
  const registry = new Registry()
  t.equal(registry.text(), '')
  registry.add(metrics.polls, { vault: 'a', outcome: 'success' })
  registry.add(metrics.polls, { outcome: 'success', vault: 'a' }, 2)
  registry.add(metrics.polls, { vault: 'say "b"\\\n', outcome: 'failed' })
  registry.set(metrics.ready, true)
  registry.set(metrics.ready, false)
  t.equal(
    registry.text(),
    `# HELP akv_injector_sidecar_ready ${metrics.ready.help}
# TYPE akv_injector_sidecar_ready gauge
akv_injector_sidecar_ready 0
# HELP akv_injector_sidecar_polls_total ${metrics.polls.help}
# TYPE akv_injector_sidecar_polls_total counter
akv_injector_sidecar_polls_total{vault="a",outcome="success"} 3
akv_injector_sidecar_polls_total{vault="say \\"b\\"\\\\\\n",outcome="failed"} 1
`,
  )
})

void t.test('metrics: a histogram is cumulative and counts observations above all buckets', async (t) => {
  const registry = new Registry()
  const labels = { vault: 'a', operation: 'get', outcome: 'success' }
  for (const seconds of [0.01, 0.02, 0.02, 5, 100]) registry.observe(metrics.requests, seconds, labels)
  const numbers = Array.from(registry.text().matchAll(/le="([^"]+)"\} (\d+)/g), ([, bound, count]) => [bound, count])
  t.strictSame(numbers, [
    ['0.01', '1'],
    ['0.03', '3'],
    ['0.1', '3'],
    ['0.3', '3'],
    ['1', '3'],
    ['3', '3'],
    ['10', '4'],
    ['+Inf', '5'],
  ])
  t.match(registry.text(), /_sum\{vault="a",operation="get",outcome="success"\} 105\.05/)
  t.match(registry.text(), /_count\{[^}]*\} 5\n/)
})

void t.test('metrics: a cleared metric is not printed', async (t) => {
  const registry = new Registry()
  registry.set(metrics.objectExpiry, 5, { vault: 'v', type: 'secret', name: 'n', path: 'p' })
  registry.clear(metrics.objectExpiry)
  t.equal(registry.text(), '')
})
