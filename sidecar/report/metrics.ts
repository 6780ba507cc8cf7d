/** The path distinguishes objects that are written twice. */
const objectLabels = ['vault', 'type', 'name', 'path'] as const
const findLabels = ['vault', 'type', 'find'] as const

/** The sidecar's metrics. Names follow {@link https://prometheus.io/docs/practices/naming/}. */
export const metrics = {
  info: gauge('info', 'Always 1; the label has the running version.', ['version']),
  startTime: gauge('start_time_seconds', 'Start time of the sidecar, in seconds since 1970.'),
  ready: gauge('ready', '1 if a complete set of files is served.'),
  stale: gauge('stale', '1 if the served set is from before a restart and not every vault has answered since.'),
  suspended: gauge('suspended', '1 if the annotation suspend pauses polling.'),
  pollInterval: gauge('poll_interval_seconds', 'Current poll interval, in seconds.'),
  polls: counter('polls_total', 'Polls of a vault by outcome.', ['vault', 'outcome']),
  lastAnswer: gauge(
    'last_answer_timestamp_seconds',
    'Time of the last poll in which the vault answered about any object.',
    ['vault'],
  ),
  lastSuccess: gauge('last_success_timestamp_seconds', 'Time of the last poll of the vault that fully succeeded.', [
    'vault',
  ]),
  coordinatorConnected: gauge(
    'coordinator_connected',
    '1 if there is a session with the coordinator; absent without a coordinator in the settings.',
  ),
  coordinatorUntrusted: gauge(
    'coordinator_untrusted',
    "1 if there is no session because the authority of the coordinator's certificate is not trusted; absent without a coordinator in the settings.",
  ),
  covered: gauge(
    'vault_covered',
    '1 if the coordinator announces every change in the vault, so that only full refreshes poll it; absent without a coordinator.',
    ['vault'],
  ),
  turnWaiting: gauge(
    'turn_waiting_seconds',
    'How long a new set of files has waited for the turn of this pod, in seconds; 0 if none waits, absent in a pod that takes no turns.',
  ),
  turnHalted: gauge(
    'turn_halted',
    '1 if a new set of files is not switched in because another pod did not come up with it; absent in a pod that takes no turns.',
  ),
  requests: histogram(
    'vault_request_duration_seconds',
    'Duration of vault operations; a list with all its pages is one operation.',
    ['vault', 'operation', 'outcome'],
    [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  ),
  httpRequests: counter('vault_http_requests_total', 'HTTP requests to a vault, including challenges and pages.', [
    'vault',
    'operation',
  ]),
  throttled: counter(
    'throttled_total',
    'Operations that a vault throttled; throttled sign-ins are an outcome of sign_ins_total.',
    ['vault'],
  ),
  signIns: counter('sign_ins_total', 'Sign-ins (exchanges for an access token) by outcome.', ['outcome']),
  changedObjects: counter('changed_objects_total', 'Objects whose files changed in a switch.'),
  unsettled: counter(
    'unsettled_switches_total',
    'Switches without confirmation from the vault that all values belong together.',
  ),
  switches: counter('switches_total', 'Switches to a new set of files by outcome.', ['outcome']),
  notifications: counter('notifications_total', 'Attempts to notify the app of a change, by outcome.', [
    'channel',
    'outcome',
  ]),
  notificationPending: gauge('notification_pending', '1 if the app has yet to be notified of a change.'),
  signalPermitted: gauge(
    'signal_permitted',
    '1 if a test showed that the sidecar can signal the app; the label has the outcome of the test.',
    ['outcome'],
  ),
  objectFailing: gauge(
    'object_failing',
    '1 if the object could not be read or rendered in the last poll.',
    objectLabels,
  ),
  objectFetched: gauge('object_fetched_timestamp_seconds', 'Time at which the object was last read.', objectLabels),
  objectUpdated: gauge(
    'object_updated_timestamp_seconds',
    'Time at which the object was last changed, according to the vault.',
    objectLabels,
  ),
  objectExpiry: gauge(
    'object_expiry_timestamp_seconds',
    'Time at which the object expires, if it has an expiry date.',
    objectLabels,
  ),
  objectNotBefore: gauge(
    'object_not_before_timestamp_seconds',
    'Time from which the object is valid, if it has an activation date.',
    objectLabels,
  ),
  findMatches: gauge(
    'find_matches',
    'Objects that the find selects; `find` counts the finds of the pod from 1.',
    findLabels,
  ),
  findFailing: gauge(
    'find_failing',
    '1 if the last search failed, or found more than may be selected, so that the last good selection stays.',
    findLabels,
  ),
  tampered: counter(
    'volume_tampered_total',
    'Checks that found files in the volume changed by something other than the sidecar.',
  ),
  connectionsClosed: counter(
    'connections_closed_total',
    "Connections to the sidecar's port that one of its limits closed.",
    ['limit'],
  ),
  textFailing: gauge('text_failing', '1 if the template or bundle could not be rendered in the last poll.', ['path']),
} as const

/** A metric, as in the documentation's table. */
export interface Metric {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  labels: readonly string[]
  /** Of a histogram, in ascending order. */
  buckets?: readonly number[]
}

export type Labels = Readonly<Record<string, string>>

interface Series {
  labels: Labels
  value: number
  /** A histogram's observations by bucket, not cumulative; the last are those above all bounds. */
  counts?: number[]
}

/**
 * Counts {@link metrics} and prints them in the text format of Prometheus
 * ({@link https://prometheus.io/docs/instrumenting/exposition_formats/}).
 */
export class Registry {
  readonly #series = new Map<Metric, Map<string, Series>>()

  add(metric: Metric, labels: Labels = {}, by = 1): void {
    this.#of(metric, labels).value += by
  }

  set(metric: Metric, value: number | boolean, labels: Labels = {}): void {
    this.#of(metric, labels).value = Number(value)
  }

  /** Adds an observation to a histogram. */
  observe(metric: Metric, value: number, labels: Labels = {}): void {
    const series = this.#of(metric, labels)
    const { buckets = [] } = metric
    series.counts ??= Array.from({ length: buckets.length + 1 }, () => 0)
    const at = buckets.findIndex((bound) => value <= bound)
    const slot = at === -1 ? buckets.length : at
    series.counts[slot] = (series.counts[slot] ?? 0) + 1
    series.value += value
  }

  /** Removes a metric's series, so that only those set afterwards are printed. */
  clear(metric: Metric): void {
    this.#series.delete(metric)
  }

  text(): string {
    return Object.values<Metric>(metrics)
      .filter((metric) => this.#series.has(metric))
      .map((metric) => this.#print(metric))
      .join('')
  }

  #of(metric: Metric, labels: Labels): Series {
    const all = this.#series.get(metric) ?? new Map<string, Series>()
    this.#series.set(metric, all)
    const key = JSON.stringify(metric.labels.map((label) => labels[label] ?? ''))
    const series = all.get(key) ?? { labels, value: 0 }
    all.set(key, series)
    return series
  }

  #print(metric: Metric): string {
    const { name, type, help } = metric
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
    for (const series of this.#series.get(metric)?.values() ?? []) {
      if (series.counts) lines.push(...histogramLines(metric, series, series.counts))
      else lines.push(`${name}${printLabels(series.labels)} ${series.value}`)
    }
    return `${lines.join('\n')}\n`
  }
}

function histogramLines({ name, buckets = [] }: Metric, { labels, value }: Series, counts: number[]): string[] {
  let sum = 0
  const lines = counts.map((count, index) => {
    sum += count
    return `${name}_bucket${printLabels({ ...labels, le: String(buckets[index] ?? '+Inf') })} ${sum}`
  })
  return [...lines, `${name}_sum${printLabels(labels)} ${value}`, `${name}_count${printLabels(labels)} ${sum}`]
}

function printLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length > 0 ? `{${pairs.join(',')}}` : ''
}

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

function gauge(name: string, help: string, labels: readonly string[] = []): Metric {
  return { name: `akv_injector_sidecar_${name}`, type: 'gauge', help, labels }
}

function counter(name: string, help: string, labels: readonly string[] = []): Metric {
  return { name: `akv_injector_sidecar_${name}`, type: 'counter', help, labels }
}

function histogram(name: string, help: string, labels: readonly string[], buckets: readonly number[]): Metric {
  return { name: `akv_injector_sidecar_${name}`, type: 'histogram', help, labels, buckets }
}
