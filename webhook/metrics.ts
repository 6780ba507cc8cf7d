import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Certificates } from '../certs/manager.ts'
import type { CertificateEvent } from '../certs/events.ts'
import type { OnLimited } from './limits.ts'
import type { MissReason } from './reasons.ts'
import type { Decided } from './review.ts'

/** A metric as the documentation's table has it. */
export interface Metric {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  labels: readonly string[]
}

/** What the webhook measures. Every label has few values, all of them from tables of ours. */
export const metrics = {
  info: metric('gauge', 'info', 'Always 1; the label says which version runs.', ['version']),
  reviews: metric(
    'counter',
    'reviews_total',
    'Pods and pod templates reviewed, by what was decided and the most important reason.',
    ['purpose', 'decision', 'reason', 'report'],
  ),
  duration: metric('histogram', 'review_duration_seconds', 'Time from a review being read to its decision.'),
  missedPods: metric(
    'gauge',
    'missed_pods',
    'Pods that asked for a sidecar and run without one, by reason, at the last look. Every replica counts all of them: take the maximum.', // prettier-ignore
    ['reason'],
  ),
  auditSuccess: metric(
    'gauge',
    'audit_last_success_timestamp_seconds',
    'When pods were last looked through for ones without a sidecar.',
  ),
  refused: metric(
    'counter',
    'requests_not_found_total',
    'Requests for a path that does not exist, such as reviews without the segment that the registrations have.',
  ),
  eventsDropped: metric(
    'counter',
    'events_dropped_total',
    'Kubernetes Events that were not sent because too many were waiting, or too many of one namespace.',
  ),
  limited: metric(
    'counter',
    'limited_total',
    'Requests that were refused, and objects and fields that were left out, so that memory and requests stay bounded.',
    ['limit'],
  ),
  configurationReads: metric(
    'counter',
    'configuration_reads_total',
    "States of the administrator's file, by whether they were taken.",
    ['outcome'],
  ),
  configurationValid: metric(
    'gauge',
    'configuration_valid',
    "1 while the administrator's file is in use, 0 while it is refused and an earlier state of it holds.",
  ),
  certificateEvents: metric('counter', 'certificate_events_total', "What happened to the webhook's certificate.", [
    'type',
  ]),
  certificateExpiry: metric(
    'gauge',
    'certificate_expiry_timestamp_seconds',
    'When the certificate being served ends; 0 while there is none.',
  ),
  memory: { ...metric('gauge', '', 'Resident memory size in bytes.'), name: 'process_resident_memory_bytes' },
} as const

export interface Metrics {
  reviewed: (decided: Decided) => void
  /** A request for a path that does not exist. */
  refused: () => void
  /** Whether a state of the administrator's file was taken. */
  configurationRead: (taken: boolean) => void
  certificateEvent: (event: CertificateEvent) => void
  limited: OnLimited
  /** How many pods the audit found without a sidecar. */
  missed: (counts: Readonly<Record<MissReason, number>>) => void
  /** In Prometheus' text format. */
  text: () => Promise<{ contentType: string; text: string }>
}

/** What is asked when somebody reads the metrics. */
export interface Measured {
  version: string
  certificates: () => Pick<Certificates, 'notAfter'> | undefined
  eventsDropped: () => number
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10]

export function createMetrics({ version, certificates, eventsDropped }: Measured): Metrics {
  const registry = new Registry()
  const of = ({ name, help, labels }: Metric) => ({ name, help, labelNames: [...labels], registers: [registry] })
  const read = (one: Metric, value: () => number): void => {
    const collect = function (this: Gauge | Counter): void {
      this.reset()
      this.inc(value())
    }
    if (one.type === 'gauge') new Gauge({ ...of(one), collect })
    else new Counter({ ...of(one), collect })
  }
  new Gauge(of(metrics.info)).set({ version }, 1)
  const reviews = new Counter(of(metrics.reviews))
  const refused = new Counter(of(metrics.refused))
  const duration = new Histogram({ ...of(metrics.duration), buckets })
  const missedPods = new Gauge(of(metrics.missedPods))
  const auditSuccess = new Gauge(of(metrics.auditSuccess))
  read(metrics.eventsDropped, eventsDropped)
  const limited = new Counter(of(metrics.limited))
  const configurationReads = new Counter(of(metrics.configurationReads))
  const configurationValid = new Gauge(of(metrics.configurationValid))
  const certificateEvents = new Counter(of(metrics.certificateEvents))
  read(metrics.certificateExpiry, () => (certificates()?.notAfter() ?? 0) / 1000)
  read(metrics.memory, () => process.memoryUsage.rss())
  return {
    reviewed({ decision, purpose, report, duration: milliseconds }) {
      reviews.inc({ purpose, decision: decision.kind, reason: reasonOf(decision), report: String(report) })
      duration.observe(milliseconds / 1000)
    },
    refused: () => refused.inc(),
    configurationRead(taken) {
      configurationReads.inc({ outcome: taken ? 'taken' : 'refused' })
      configurationValid.set(taken ? 1 : 0)
    },
    limited: (limit) => limited.inc({ limit }),
    certificateEvent: ({ type }) => certificateEvents.inc({ type }),
    missed(counts) {
      for (const [reason, count] of Object.entries(counts)) missedPods.set({ reason }, count)
      auditSuccess.setToCurrentTime()
    },
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

const reasonOf = (decision: Decided['decision']): string =>
  decision.kind === 'deny' ? decision.problems[0].reason : decision.kind === 'skip' ? decision.reason : ''

function metric(type: Metric['type'], name: string, help: string, labels: readonly string[] = []): Metric {
  return { name: `akv_injector_${name}`, type, help, labels }
}
