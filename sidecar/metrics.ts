/** The path tells apart objects that are written twice. */
const objectLabels = ['vault', 'type', 'name', 'path'] as const

/** What the sidecar measures. Names follow {@link https://prometheus.io/docs/practices/naming/}. */
export const metrics = {
  info: gauge('info', 'Always 1; the label says which version runs.', ['version']),
  startTime: gauge('start_time_seconds', 'When the sidecar started, in seconds since 1970.'),
  ready: gauge('ready', 'Whether a complete set of files is served.'),
  stale: gauge('stale', 'Whether the set comes from before a restart and not every vault has answered since.'),
  suspended: gauge('suspended', 'Whether polling is suspended by the pod annotation.'),
  pollInterval: gauge('poll_interval_seconds', 'The interval in force.'),
  polls: counter('polls_total', 'Polls of a vault by outcome.', ['vault', 'outcome']),
  lastAnswer: gauge('last_answer_timestamp_seconds', 'When a poll of the vault last had an answer about any object.', [
    'vault',
  ]),
  lastSuccess: gauge('last_success_timestamp_seconds', 'When a poll of the vault last succeeded in full.', ['vault']),
  requests: histogram(
    'vault_request_duration_seconds',
    'Duration of calls of a vault, a list with all its pages being one.',
    ['vault', 'operation', 'outcome'],
    [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  ),
  httpRequests: counter('vault_http_requests_total', 'HTTP requests to a vault, challenges and pages included.', ['vault', 'operation']), // prettier-ignore
  throttled: counter('throttled_total', 'Calls that a vault throttled; of sign-ins it is an outcome.', ['vault']),
  signIns: counter('sign_ins_total', 'Exchanges of the ServiceAccount token by outcome.', ['outcome']),
  changedObjects: counter('changed_objects_total', 'Objects whose files differed from those before.'),
  unsettled: counter('unsettled_switches_total', 'Switches for which the vault did not confirm that all values belong together.'), // prettier-ignore
  switches: counter('switches_total', 'Switches to a new set of files by outcome.', ['outcome']),
  notifications: counter('notifications_total', 'Outcomes of telling the app of a change.', ['channel', 'outcome']),
  notificationPending: gauge('notification_pending', 'Whether the app is still to be told of a change.'),
  signalPermitted: gauge(
    'signal_permitted',
    'Whether the app could be sent its signal, as tried beforehand; the label says what came of it.',
    ['outcome'],
  ),
  objectFailing: gauge('object_failing', 'Whether the object could not be read or made into files last time.', objectLabels), // prettier-ignore
  objectFetched: gauge('object_fetched_timestamp_seconds', 'When the object was last read.', objectLabels),
  objectUpdated: gauge('object_updated_timestamp_seconds', 'When the object was last changed, as the vault says.', objectLabels), // prettier-ignore
  objectExpiry: gauge('object_expiry_timestamp_seconds', 'When the object expires, if it does.', objectLabels), // prettier-ignore
  objectNotBefore: gauge('object_not_before_timestamp_seconds', 'From when on the object is valid, if it says so.', objectLabels), // prettier-ignore
  tampered: counter('volume_tampered_total', 'Checks that found the files in the volume changed by something other than the sidecar.'), // prettier-ignore
  connectionsClosed: counter('connections_closed_total', "Connections to the sidecar's port that were closed by one of its limits.", ['limit']), // prettier-ignore
  textFailing: gauge('text_failing', 'Whether a template or bundle could not be made last time.', ['path']),
} as const

/** A metric as the documentation's table has it. */
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
  /** Of a histogram: observations by bucket, not cumulated, the last being those above all. */
  counts?: number[]
}

/**
 * Counts and prints what {@link metrics} names, in the text format of Prometheus
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

  /** Takes an observation into a histogram. */
  observe(metric: Metric, value: number, labels: Labels = {}): void {
    const series = this.#of(metric, labels)
    const { buckets = [] } = metric
    series.counts ??= Array.from({ length: buckets.length + 1 }, () => 0)
    const at = buckets.findIndex((bound) => value <= bound)
    const slot = at === -1 ? buckets.length : at
    series.counts[slot] = (series.counts[slot] ?? 0) + 1
    series.value += value
  }

  /** Forgets a metric's series, so that only those set anew are printed. */
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
