import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { metrics as ofSidecar, Registry, type Metric } from '../../sidecar/metrics.ts'
import { createMetrics } from '../../webhook/metrics.ts'
import { isReady } from '../sidecar/support/bundle.ts'
import { get, stageWith } from '../sidecar/support/stages.ts'
import { appFor } from '../webhook/review-app.ts'
import { lintMetrics, needsPromtool, promtool } from './promtool.ts'
import { manifests, read, type Manifest } from './rendered.ts'

void t.test('promtool finds nothing to say', needsPromtool, async (t) => {
  await t.test('but it would', async (t) => {
    t.match(lintMetrics('# TYPE polls counter\npolls 1\n'), /polls/)
    t.not(lintMetrics('polls{ 1\n'), '')
  })

  await t.test('of what a running sidecar serves', async (t) => {
    const sidecar = (await stageWith(t)).start()
    await isReady(sidecar)
    const { text } = await get(`${sidecar.url}/metrics`)
    for (const part of ['vault_request_duration_seconds_bucket', 'sign_ins_total', 'object_fetched', 'switches_total']) t.match(text, part) // prettier-ignore
    t.equal(lintMetrics(text), '')
  })

  await t.test('of every metric that a sidecar may serve', async (t) => {
    const registry = new Registry()
    for (const metric of Object.values<Metric>(ofSidecar)) {
      const labels = Object.fromEntries(metric.labels.map((label) => [label, 'say "so"\\\n']))
      if (metric.type === 'histogram') registry.observe(metric, 0.2, labels)
      else registry.set(metric, 1, labels)
    }
    t.equal(lintMetrics(registry.text()), '')
  })

  await t.test('of what the webhook serves', async (t) => {
    const metrics = createMetrics({ version: '1.2.3', certificates: () => undefined, eventsDropped: () => 1 })
    metrics.configurationRead(true)
    metrics.missed({ 'no-namespace-label': 1, 'no-label': 0, 'mirror-pod': 0, missed: 1 })
    const { server } = appFor(t, { decided: metrics.reviewed }, { metrics: metrics.text })
    await server.inject({ method: 'POST', url: '/mutate', payload: { kind: 'AdmissionReview' } })
    const { payload } = await server.inject('/metrics')
    t.match(payload, 'akv_injector_configuration_valid 1')
    t.equal(lintMetrics(payload), '')
  })
})

/** What a sidecar of the pod shop/web-0 says, minute by minute. */
const series = (name: string, values: string, labels = '') => ({
  series: `akv_injector_sidecar_${name}{namespace="shop", pod="web-0"${labels && `, ${labels}`}}`,
  values,
})
const object = 'vault="my-kv", type="secret", name="db-password", path="db-password"'
const hours = 12
const always = (value: number) => `${value}x${hours * 60}`

const half = (component: string, values: string) => ({ series: `akv_injector_info{app_kubernetes_io_component="${component}"}`, values }) // prettier-ignore
const reviews = (labels: string, values: string) => ({ series: `akv_injector_reviews_total{${labels}}`, values })
const injected = (purpose: string, values: string, report = false) => reviews(`purpose="${purpose}", decision="inject", report="${report}"`, values) // prettier-ignore
const overloaded = (purpose: string) => reviews(`purpose="${purpose}", decision="deny", reason="overloaded", report="false"`, '0+1x720') // prettier-ignore

const stories = [
  {
    name: 'both halves of the webhook',
    input: [half('webhook', always(1)), half('standby', always(1)), injected('mutate', '0+1x720'), injected('standby', always(3))], // prettier-ignore
    alerts: [['2h', 'AkvInjectorHalfDown', false], ['2h', 'AkvInjectorStandbyInjects', false]], // prettier-ignore
  },
  {
    name: 'a standby that only reports, for the administrator wants it so',
    input: [injected('mutate', '0+1x720', true), injected('standby', '0+1x720', true)],
    alerts: [['2h', 'AkvInjectorStandbyInjects', false]],
  },
  {
    name: 'a webhook with too much to do, and a standby that helps',
    input: [overloaded('mutate'), injected('standby', '0+1x720')],
    alerts: [['2h', 'AkvInjectorCannotDecide', false], ['2h', 'AkvInjectorStandbyInjects', true]], // prettier-ignore
  },
  {
    name: 'a webhook and a standby with too much to do',
    input: [overloaded('mutate'), overloaded('standby')],
    alerts: [['2h', 'AkvInjectorCannotDecide', true]],
  },
  {
    name: 'the webhook gone for good, with pods being created',
    input: [half('webhook', '1x30 _x690'), half('standby', always(1)), injected('standby', '0x30 0+1x690')],
    alerts: [['20m', 'AkvInjectorHalfDown', false], ['1h', 'AkvInjectorHalfDown', true], ['1h', 'AkvInjectorStandbyInjects', true]], // prettier-ignore
  },
  {
    name: 'the standby gone for good',
    input: [half('webhook', always(1)), half('standby', '1x30 _x690')],
    alerts: [['1h', 'AkvInjectorHalfDown', true]],
  },
  {
    name: 'a vault that has not answered for more than an hour',
    input: [series('last_answer_timestamp_seconds', always(0), 'vault="my-kv"'), series('poll_interval_seconds', always(120)), series('suspended', always(0))], // prettier-ignore
    alerts: [['50m', 'AkvSecretsNotPolled', false], ['2h', 'AkvSecretsNotPolled', true]], // prettier-ignore
  },
  {
    name: 'the same, where nobody wants it to be asked',
    input: [series('last_answer_timestamp_seconds', always(0), 'vault="my-kv"'), series('poll_interval_seconds', always(120)), series('suspended', always(1)), series('stale', always(1))], // prettier-ignore
    alerts: [['2h', 'AkvSecretsNotPolled', false], ['2h', 'AkvSecretsStale', false]], // prettier-ignore
  },
  {
    name: 'a long interval is waited for three times',
    input: [series('last_answer_timestamp_seconds', always(0), 'vault="my-kv"'), series('poll_interval_seconds', always(7200)), series('suspended', always(0))], // prettier-ignore
    alerts: [['5h', 'AkvSecretsNotPolled', false], ['7h', 'AkvSecretsNotPolled', true]], // prettier-ignore
  },
  {
    name: 'a restart during an outage',
    input: [series('stale', always(1)), series('suspended', always(0))],
    alerts: [['20m', 'AkvSecretsStale', false], ['1h', 'AkvSecretsStale', true]], // prettier-ignore
  },
  {
    name: 'an object that fails, and one that expires',
    input: [series('last_success_timestamp_seconds', always(0), 'vault="my-kv"'), series('poll_interval_seconds', always(120)), series('object_failing', always(1), object), series('object_expiry_timestamp_seconds', always(8 * 86_400), object)], // prettier-ignore
    alerts: [['20m', 'AkvObjectFailing', false], ['1h', 'AkvObjectFailing', true], ['2h', 'AkvSecretsNotPolled', false], ['12h', 'AkvObjectExpiring', false]], // prettier-ignore
  },
  {
    name: 'an app that is not told, and could not be',
    input: [series('notification_pending', always(1)), series('signal_permitted', always(0))],
    alerts: [['30m', 'AkvAppNotTold', false], ['2h', 'AkvAppNotTold', true], ['30m', 'AkvSignalNotPermitted', true]], // prettier-ignore
  },
] as const

void t.test('promtool takes the alerts, and they fire when they should', needsPromtool, async (t) => {
  const folder = t.testdir()
  const [alerts] = read(readFileSync(join(manifests, 'monitoring/alerts.yaml'), 'utf8')) as (Manifest & { spec: { groups: { rules: Rule[] }[] } })[] // prettier-ignore
  const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value))
  write('rules.yaml', alerts?.spec)
  t.equal(promtool(['check', 'rules', join(folder, 'rules.yaml')]), '')

  const rules = new Map(alerts?.spec.groups.flatMap(({ rules }) => rules).map((rule) => [rule.alert, rule]))
  const isFiring = (input: object, alert: string, at: string): boolean => {
    const { expr = '' } = rules.get(alert) ?? {}
    t.not(expr, '', `there is an alert ${alert}`)
    // That nothing fires is the expectation: where something does, the test of promtool's fails and names it.
    const test = { interval: '1m', input_series: input, alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: [] }] } // prettier-ignore
    write('test.yaml', { rule_files: ['rules.yaml'], evaluation_interval: '1m', tests: [test] })
    const said = promtool(['test', 'rules', 'test.yaml'], { cwd: folder })
    if (said !== '' && !said.includes(`alertname="${alert}"`)) throw new Error(said)
    return said !== ''
  }
  for (const { name, input, alerts } of stories) {
    for (const [at, alert, fires] of alerts) t.equal(isFiring(input, alert, at), fires, `${name}: ${alert} after ${at}`)
  }
})

interface Rule {
  alert: string
  expr: string
}
