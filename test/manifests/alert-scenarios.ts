type Series = { series: string; values: string }
interface Scenario {
  name: string
  input: readonly Series[]
  alerts: readonly (readonly [at: string, alert: string, fires: boolean])[]
}

/** What a sidecar of the pod shop/web-0 says, minute by minute. */
const series = (name: string, values: string, labels = '') => ({
  series: `akv_injector_sidecar_${name}{namespace="shop", pod="web-0"${labels && `, ${labels}`}}`,
  values,
})
const object = 'vault="my-kv", type="secret", name="db-password", path="db-password"'
const hours = 12
const always = (value: number) => `${value}x${hours * 60}`

const half = (component: string, values: string) => ({
  series: `akv_injector_info{app_kubernetes_io_component="${component}"}`,
  values,
})
const reviews = (labels: string, values: string) => ({ series: `akv_injector_reviews_total{${labels}}`, values })
const injected = (purpose: string, values: string, report = false) =>
  reviews(`purpose="${purpose}", decision="inject", report="${report}"`, values)
const overloaded = (purpose: string) =>
  reviews(`purpose="${purpose}", decision="deny", reason="overloaded", report="false"`, '0+1x720')
const onPod = (name: string, values: string): Series => ({
  series: `akv_injector_${name}{pod="akv-injector-0"}`,
  values,
})
const missed = (reason: string, values: string): Series => ({
  series: `akv_injector_missed_pods{reason="${reason}"}`,
  values,
})
const inRotation = (state: string, values: string): Series => ({
  series: `akv_injector_coordinator_pods{state="${state}"}`,
  values,
})
/** A coordinator that may have ten sessions. */
const coordinator = (sessions: number): Series[] => [
  { series: 'akv_injector_coordinator_sessions{namespace="akv-injector-system"}', values: always(sessions) },
  { series: 'akv_injector_coordinator_session_limit{namespace="akv-injector-system"}', values: always(10) },
]
/** Ten reviews a minute, all of which take longer than the bucket before this one. */
const latency = (bucket: '1' | '5'): Series[] =>
  ['1', '5', '+Inf'].map((le) => ({
    series: `akv_injector_review_duration_seconds_bucket{le="${le}"}`,
    values: le === '1' && bucket === '5' ? '0x720' : '0+10x720',
  }))

/** What Prometheus sees for twelve hours, and whether an alert fires after a time. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'a webhook that is well',
    input: [
      half('webhook', always(1)),
      ...latency('1'),
      onPod('configuration_valid', always(1)),
      // Twelve hours after 1970, it has more than five days.
      onPod('certificate_expiry_timestamp_seconds', always(6 * 86_400)),
      missed('missed', always(0)),
      missed('no-label', always(3)),
      onPod('audit_last_success_timestamp_seconds', '0+60x720'),
    ],
    alerts: [
      ['1h', 'AkvInjectorDown', false],
      ['1h', 'AkvInjectorSlow', false],
      ['1h', 'AkvInjectorConfigurationRefused', false],
      ['12h', 'AkvInjectorCertificateExpiring', false],
      ['2h', 'AkvInjectorPodsMissed', false],
      ['3h', 'AkvInjectorAuditStopped', false],
    ],
  },
  {
    name: 'a webhook that is not well',
    input: [
      half('webhook', '1x30 _x690'),
      ...latency('5'),
      onPod('configuration_valid', '1x30 0x690'),
      onPod('certificate_expiry_timestamp_seconds', always(5 * 86_400)),
      missed('missed', '0x30 2x690'),
      onPod('audit_last_success_timestamp_seconds', '0+60x30 1800x690'),
    ],
    alerts: [
      ['34m', 'AkvInjectorDown', false],
      ['1h', 'AkvInjectorDown', true],
      ['5m', 'AkvInjectorSlow', false],
      ['1h', 'AkvInjectorSlow', true],
      ['34m', 'AkvInjectorConfigurationRefused', false],
      ['1h', 'AkvInjectorConfigurationRefused', true],
      ['10m', 'AkvInjectorCertificateExpiring', false],
      ['1h', 'AkvInjectorCertificateExpiring', true],
      ['50m', 'AkvInjectorPodsMissed', false],
      ['2h', 'AkvInjectorPodsMissed', true],
      ['95m', 'AkvInjectorAuditStopped', false],
      ['2h', 'AkvInjectorAuditStopped', true],
    ],
  },
  {
    name: 'both halves of the webhook',
    input: [
      half('webhook', always(1)),
      half('standby', always(1)),
      injected('mutate', '0+1x720'),
      injected('standby', always(3)),
    ],
    alerts: [
      ['2h', 'AkvInjectorHalfDown', false],
      ['2h', 'AkvInjectorStandbyInjects', false],
    ],
  },
  {
    name: 'a standby that only reports, for the administrator wants it so',
    input: [injected('mutate', '0+1x720', true), injected('standby', '0+1x720', true)],
    alerts: [['2h', 'AkvInjectorStandbyInjects', false]],
  },
  {
    name: 'a webhook with too much to do, and a standby that helps',
    input: [overloaded('mutate'), injected('standby', '0+1x720')],
    alerts: [
      ['2h', 'AkvInjectorCannotDecide', false],
      ['2h', 'AkvInjectorStandbyInjects', true],
    ],
  },
  {
    name: 'a webhook and a standby with too much to do',
    input: [overloaded('mutate'), overloaded('standby')],
    alerts: [['2h', 'AkvInjectorCannotDecide', true]],
  },
  {
    name: 'the webhook gone for good, with pods being created',
    input: [half('webhook', '1x30 _x690'), half('standby', always(1)), injected('standby', '0x30 0+1x690')],
    alerts: [
      ['20m', 'AkvInjectorHalfDown', false],
      ['1h', 'AkvInjectorHalfDown', true],
      ['1h', 'AkvInjectorStandbyInjects', true],
    ],
  },
  {
    name: 'the standby gone for good',
    input: [half('webhook', always(1)), half('standby', '1x30 _x690')],
    alerts: [['1h', 'AkvInjectorHalfDown', true]],
  },
  {
    name: 'a program for Secrets whose policies are missing, and classes that fail for a while',
    input: [
      { series: 'akv_injector_sync_policies_enforced{namespace="akv"}', values: '1x60 0x660' },
      { series: 'akv_injector_sync_failing_classes{result="refused"}', values: '0x60 2x30 0x90 1x540' },
    ],
    alerts: [
      ['50m', 'AkvSyncPoliciesMissing', false],
      ['80m', 'AkvSyncPoliciesMissing', true],
      ['100m', 'AkvSyncFailing', false],
      ['6h', 'AkvSyncFailing', true],
    ],
  },
  {
    name: 'a vault that has not answered for more than an hour',
    input: [
      series('last_answer_timestamp_seconds', always(0), 'vault="my-kv"'),
      series('poll_interval_seconds', always(120)),
      series('suspended', always(0)),
    ],
    alerts: [
      ['50m', 'AkvSecretsNotPolled', false],
      ['2h', 'AkvSecretsNotPolled', true],
    ],
  },
  {
    name: 'the same, if it is not to be called',
    input: [
      series('last_answer_timestamp_seconds', always(0), 'vault="my-kv"'),
      series('poll_interval_seconds', always(120)),
      series('suspended', always(1)),
      series('stale', always(1)),
    ],
    alerts: [
      ['2h', 'AkvSecretsNotPolled', false],
      ['2h', 'AkvSecretsStale', false],
    ],
  },
  {
    name: 'a long interval is waited for three times',
    input: [
      series('last_answer_timestamp_seconds', always(0), 'vault="my-kv"'),
      series('poll_interval_seconds', always(7200)),
      series('suspended', always(0)),
    ],
    alerts: [
      ['5h', 'AkvSecretsNotPolled', false],
      ['7h', 'AkvSecretsNotPolled', true],
    ],
  },
  {
    name: 'a restart during an outage',
    input: [series('stale', always(1)), series('suspended', always(0))],
    alerts: [
      ['20m', 'AkvSecretsStale', false],
      ['1h', 'AkvSecretsStale', true],
    ],
  },
  {
    name: 'an object that fails, and one that expires',
    input: [
      series('last_success_timestamp_seconds', always(0), 'vault="my-kv"'),
      series('poll_interval_seconds', always(120)),
      series('object_failing', always(1), object),
      series('object_expiry_timestamp_seconds', always(8 * 86_400), object),
    ],
    alerts: [
      ['20m', 'AkvObjectFailing', false],
      ['1h', 'AkvObjectFailing', true],
      ['2h', 'AkvSecretsNotPolled', false],
      ['12h', 'AkvObjectExpiring', false],
    ],
  },
  {
    name: 'an object that expires within a week',
    input: [series('object_expiry_timestamp_seconds', always(7 * 86_400), object)],
    alerts: [
      ['50m', 'AkvObjectExpiring', false],
      ['2h', 'AkvObjectExpiring', true],
    ],
  },
  {
    name: 'a pod whose turn does not come',
    input: [series('turn_waiting_seconds', '0+60x720')],
    alerts: [
      ['1h', 'AkvTurnWaiting', false],
      ['2h', 'AkvTurnWaiting', true],
    ],
  },
  {
    name: 'a pod whose turn comes',
    input: [series('turn_waiting_seconds', '0 60 120 0x720')],
    alerts: [['6h', 'AkvTurnWaiting', false]],
  },
  {
    name: 'an app that is not told, and could not be',
    input: [series('notification_pending', always(1)), series('signal_permitted', always(0))],
    alerts: [
      ['30m', 'AkvAppNotTold', false],
      ['2h', 'AkvAppNotTold', true],
      ['10m', 'AkvSignalNotPermitted', false],
      ['30m', 'AkvSignalNotPermitted', true],
    ],
  },
  {
    name: 'pods that do not follow a rotation, and a full coordinator',
    input: [inRotation('failing', always(2)), inRotation('current', always(9)), ...coordinator(10)],
    alerts: [
      ['50m', 'AkvRotationIncomplete', false],
      ['2h', 'AkvRotationIncomplete', true],
      ['10m', 'AkvCoordinatorFull', false],
      ['30m', 'AkvCoordinatorFull', true],
    ],
  },
  {
    name: 'a pod that did not come up with a new version',
    input: [{ series: 'akv_injector_coordinator_halted_groups{namespace="akv-injector-system"}', values: '0x10 1x60' }],
    alerts: [
      ['9m', 'AkvRotationHalted', false],
      ['12m', 'AkvRotationHalted', true],
    ],
  },
  {
    name: 'pods that are suspended on purpose, and a rotation that took its time',
    input: [inRotation('suspended', always(2)), inRotation('behind', '5x50 0x600'), ...coordinator(9)],
    alerts: [
      ['2h', 'AkvRotationIncomplete', false],
      ['2h', 'AkvCoordinatorFull', false],
    ],
  },
]
