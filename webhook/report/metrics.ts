import { Histogram, Registry } from 'prom-client'
import type { Certificates } from '../../certs/self-managed.ts'
import type { CertificateEvent } from '../../certs/events.ts'
import { createIn, memoryMetric, metricsOf } from '../../shared/metrics.ts'
import type { OnLimited } from '../limits.ts'
import type { MissReason } from '../reasons.ts'
import type { Decided } from '../review/decision.ts'

const metric = metricsOf('akv_injector_')

/** The webhook's metrics. Every label has few values, all of them from tables in the code. */
export const metrics = {
  info: metric('gauge', 'info', 'Always 1; the label is the version that runs.', ['version']),
  reviews: metric(
    'counter',
    'reviews_total',
    'Reviewed pods and pod templates, by decision and most important reason.',
    ['purpose', 'decision', 'reason', 'report'],
  ),
  duration: metric('histogram', 'review_duration_seconds', 'Time from reading a review to its decision.'),
  missedPods: metric(
    'gauge',
    'missed_pods',
    'Pods that requested injection and run without a sidecar, by reason, as of the last audit. Every replica counts all of them: use the maximum.',
    ['reason'],
  ),
  auditSuccess: metric(
    'gauge',
    'audit_last_success_timestamp_seconds',
    'When the last audit for pods without a sidecar succeeded.',
  ),
  refused: metric(
    'counter',
    'requests_not_found_total',
    'Requests for a path that does not exist, such as reviews without the path segment of the webhook configurations.',
  ),
  eventsDropped: metric(
    'counter',
    'events_dropped_total',
    'Kubernetes Events that were dropped because too many were waiting in total or for one namespace.',
  ),
  limited: metric(
    'counter',
    'limited_total',
    'Requests that were rejected and objects that were left out to bound memory and requests.',
    ['limit'],
  ),
  configurationReads: metric(
    'counter',
    'configuration_reads_total',
    "Versions of the administrator's file that were read, by whether they are used.",
    ['outcome'],
  ),
  configurationValid: metric(
    'gauge',
    'configuration_valid',
    "1 if the administrator's file is in use, 0 if it is invalid and its previous version stays in use.",
  ),
  certificateEvents: metric(
    'counter',
    'certificate_events_total',
    "Events in the life of the webhook's certificate, by type.",
    ['type'],
  ),
  certificateExpiry: metric(
    'gauge',
    'certificate_expiry_timestamp_seconds',
    'When the current serving certificate expires; 0 if there is none.',
  ),
  memory: memoryMetric,
} as const

export interface Metrics {
  reviewed: (decided: Decided) => void
  /** Counts a request for a path that does not exist. */
  refused: () => void
  /** Called with whether a version of the administrator's file is used. */
  configurationRead: (taken: boolean) => void
  certificateEvent: (event: CertificateEvent) => void
  limited: OnLimited
  /** Sets how many pods the audit found without a sidecar. */
  missed: (counts: Readonly<Record<MissReason, number>>) => void
  /** Returns Prometheus' text format. */
  text: () => Promise<{ contentType: string; text: string }>
}

/** Values that are read when the metrics are scraped. */
export interface Measured {
  version: string
  certificates: () => Pick<Certificates, 'notAfter'> | undefined
  eventsDropped: () => number
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10]

export function createMetrics({ version, certificates, eventsDropped }: Measured): Metrics {
  const registry = new Registry()
  const { of, counter, gauge, read } = createIn(registry)
  gauge(metrics.info).set({ version }, 1)
  const reviews = counter(metrics.reviews)
  const refused = counter(metrics.refused)
  const duration = new Histogram({ ...of(metrics.duration), buckets })
  const missedPods = gauge(metrics.missedPods)
  const auditSuccess = gauge(metrics.auditSuccess)
  read(metrics.eventsDropped, eventsDropped)
  const limited = counter(metrics.limited)
  const configurationReads = counter(metrics.configurationReads)
  const configurationValid = gauge(metrics.configurationValid)
  const certificateEvents = counter(metrics.certificateEvents)
  read(metrics.certificateExpiry, () => (certificates()?.notAfter() ?? 0) / 1000)
  read(metrics.memory, () => process.memoryUsage.rss())
  return {
    reviewed({ decision, purpose, report, durationMs }) {
      reviews.inc({ purpose, decision: decision.kind, reason: reasonOf(decision), report: String(report) })
      duration.observe(durationMs / 1000)
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
