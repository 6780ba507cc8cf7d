import t from 'tap'
import { createMetrics, metrics } from '../../../webhook/report/metrics.ts'

const quiet = { version: '1.2.3', certificates: () => undefined, eventsDropped: () => 7 }

void t.test('metrics: the webhook exposes every metric of its table', async (t) => {
  const { text } = await createMetrics(quiet).text()
  for (const { name, type, help } of Object.values(metrics)) {
    t.ok(text.includes(`# TYPE ${name} ${type}\n`), `${name} is a ${type}`)
    t.ok(text.includes(`# HELP ${name} ${help}\n`), `${name} says what it is`)
  }
  t.equal(text.match(/^# TYPE/gm)?.length, Object.keys(metrics).length, 'and no other')
})

void t.test('metrics: gauges are read when they are requested', async (t) => {
  let dropped = 1
  const certificates = () => ({ notAfter: () => 1_700_000_000_000 })
  const all = createMetrics({ ...quiet, certificates, eventsDropped: () => dropped })
  t.match((await all.text()).text, /^akv_injector_events_dropped_total 1$/m)
  dropped = 3
  const { text } = await all.text()
  t.match(text, /^akv_injector_events_dropped_total 3$/m, 'the number itself, not added up')
  t.match(text, /^akv_injector_certificate_expiry_timestamp_seconds 1700000000$/m)
  t.match(text, /^akv_injector_info\{version="1.2.3"\} 1$/m)
})

void t.test('metrics: pods without a sidecar are counted by reason', async (t) => {
  const all = createMetrics(quiet)
  all.missed({ 'no-namespace-label': 2, 'no-label': 0, 'mirror-pod': 0, missed: 1 })
  all.missed({ 'no-namespace-label': 0, 'no-label': 0, 'mirror-pod': 0, missed: 1 })
  const { text } = await all.text()
  t.match(text, /^akv_injector_missed_pods\{reason="missed"\} 1$/m)
  t.match(text, /^akv_injector_missed_pods\{reason="no-namespace-label"\} 0$/m)
  t.match(text, /^akv_injector_audit_last_success_timestamp_seconds 1\d{9}(\.\d+)?$/m)
})
