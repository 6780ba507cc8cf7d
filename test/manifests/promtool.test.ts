import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { metrics as ofSidecar, Registry, type Metric } from '../../sidecar/report/metrics.ts'
import { createSyncMetrics } from '../../sync/metrics.ts'
import { createMetrics } from '../../webhook/report/metrics.ts'
import { isReady } from '../support/sidecar-bundle.ts'
import { get, sidecarFixture } from '../support/sidecar-fixture.ts'
import { appFor } from '../webhook/review-app.ts'
import { scenarios } from './alert-scenarios.ts'
import { lintMetrics, needsPromtool, promtool } from './promtool.ts'
import { manifests, read, type Manifest } from './rendered.ts'

void t.test('promtool: lints the metrics of sidecar and webhook', needsPromtool, async (t) => {
  await t.test('promtool: rejects a malformed exposition', async (t) => {
    t.match(lintMetrics('# TYPE polls counter\npolls 1\n'), /polls/)
    t.not(lintMetrics('polls{ 1\n'), '')
  })

  await t.test('promtool: accepts the metrics of a running sidecar', async (t) => {
    const sidecar = (await sidecarFixture(t)).start()
    await isReady(sidecar)
    const { text } = await get(`${sidecar.url}/metrics`)
    for (const part of ['vault_request_duration_seconds_bucket', 'sign_ins_total', 'object_fetched', 'switches_total'])
      t.match(text, part)
    t.equal(lintMetrics(text), '')
  })

  await t.test('promtool: accepts every metric that a sidecar can expose', async (t) => {
    const registry = new Registry()
    for (const metric of Object.values<Metric>(ofSidecar)) {
      const labels = Object.fromEntries(metric.labels.map((label) => [label, 'say "so"\\\n']))
      if (metric.type === 'histogram') registry.observe(metric, 0.2, labels)
      else registry.set(metric, 1, labels)
    }
    t.equal(lintMetrics(registry.text()), '')
  })

  await t.test('promtool: accepts the metrics of the webhook', async (t) => {
    const metrics = createMetrics({ version: '1.2.3', certificates: () => undefined, eventsDropped: () => 1 })
    metrics.configurationRead(true)
    metrics.missed({ 'no-namespace-label': 1, 'no-label': 0, 'mirror-pod': 0, missed: 1 })
    const { server } = appFor(t, { decided: metrics.reviewed }, { metrics: metrics.text })
    await server.inject({ method: 'POST', url: '/mutate', payload: { kind: 'AdmissionReview' } })
    const { payload } = await server.inject('/metrics')
    t.match(payload, 'akv_injector_configuration_valid 1')
    t.equal(lintMetrics(payload), '')
  })

  await t.test('promtool: accepts the metrics of the program for Secrets', async (t) => {
    const metrics = createSyncMetrics({ version: '1', classes: () => ['a/b'], eventsDropped: () => 1, memory: () => 1 })
    const writes = [{ secret: 'db', outcome: 'created', versions: '' }] as const
    metrics.polled('a/b', { messages: [{ reason: 'SyncFailed', message: '' }], writes: [...writes], result: 'failed' })
    metrics.request({ operation: 'get', outcome: 'success' })
    metrics.limited('classes')
    t.equal(lintMetrics(await metrics.text()), '')
  })
})

void t.test('promtool: accepts the alerts, and each fires in its scenario', needsPromtool, async (t) => {
  const folder = t.testdir()
  const [alerts] = read(readFileSync(join(manifests, 'monitoring/alerts.yaml'), 'utf8')) as (Manifest & {
    spec: { groups: { rules: Rule[] }[] }
  })[]
  const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value))
  write('rules.yaml', alerts?.spec)
  t.equal(promtool(['check', 'rules', join(folder, 'rules.yaml')]), '')

  const rules = new Map(alerts?.spec.groups.flatMap(({ rules }) => rules).map((rule) => [rule.alert, rule]))
  const isFiring = (input: object, alert: string, at: string): boolean => {
    const { expr = '' } = rules.get(alert) ?? {}
    t.not(expr, '', `there is an alert ${alert}`)
    // That nothing fires is the expectation: where something does, the test of promtool's fails and names it.
    const test = {
      interval: '1m',
      input_series: input,
      alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: [] }],
    }
    write('test.yaml', { rule_files: ['rules.yaml'], evaluation_interval: '1m', tests: [test] })
    const said = promtool(['test', 'rules', 'test.yaml'], { cwd: folder })
    if (said !== '' && !said.includes(`alertname="${alert}"`)) throw new Error(said)
    return said !== ''
  }
  for (const { name, input, alerts } of scenarios) {
    for (const [at, alert, fires] of alerts) t.equal(isFiring(input, alert, at), fires, `${name}: ${alert} after ${at}`)
  }
  const outcomes = new Set(scenarios.flatMap(({ alerts }) => alerts.map(([, alert, fires]) => `${alert} ${fires}`)))
  for (const alert of rules.keys())
    for (const fires of [true, false])
      t.ok(outcomes.has(`${alert} ${fires}`), `a scenario in which ${alert} is ${fires}`)
})

interface Rule {
  alert: string
  expr: string
}
