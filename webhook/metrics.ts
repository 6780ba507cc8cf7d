import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Certificates } from '../certs/manager.ts'
import type { CertificateEvent } from '../certs/events.ts'
import type { Decided } from './review.ts'

export interface Metrics {
  reviewed: (decided: Decided) => void
  /** Whether a state of the administrator's file was taken. */
  configurationRead: (taken: boolean) => void
  certificateEvent: (event: CertificateEvent) => void
  /** In Prometheus' text format. */
  text: () => Promise<{ contentType: string; text: string }>
}

/** What the webhook counts. Every label has few values, all of them from tables of ours. */
export function createMetrics(
  version: string,
  certificates: () => Pick<Certificates, 'notAfter'> | undefined,
): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const reviews = new Counter({
    name: 'akv_injector_reviews_total',
    help: 'Pods and pod templates reviewed, by what was decided and the most important reason.',
    labelNames: ['purpose', 'decision', 'reason', 'report'],
    registers,
  })
  const duration = new Histogram({
    name: 'akv_injector_review_duration_seconds',
    help: 'Time from a review being read to its decision.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10],
    registers,
  })
  const configurationReads = new Counter({
    name: 'akv_injector_configuration_reads_total',
    help: "States of the administrator's file, by whether they were taken.",
    labelNames: ['outcome'],
    registers,
  })
  const configurationValid = new Gauge({
    name: 'akv_injector_configuration_valid',
    help: "1 while the administrator's file is in use, 0 while it is refused and an earlier state of it holds.",
    registers,
  })
  const certificateEvents = new Counter({
    name: 'akv_injector_certificate_events_total',
    help: "What happened to the webhook's certificate.",
    labelNames: ['type'],
    registers,
  })
  new Gauge({
    name: 'akv_injector_certificate_expiry_timestamp_seconds',
    help: 'When the certificate being served ends; 0 while there is none.',
    registers,
    collect() {
      this.set((certificates()?.notAfter() ?? 0) / 1000)
    },
  })
  new Gauge({ name: 'akv_injector_info', help: 'The version that runs.', labelNames: ['version'], registers }).set({ version }, 1) // prettier-ignore
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  return {
    reviewed({ decision, purpose, report, duration: milliseconds }) {
      reviews.inc({ purpose, decision: decision.kind, reason: reasonOf(decision), report: String(report) })
      duration.observe(milliseconds / 1000)
    },
    configurationRead(taken) {
      configurationReads.inc({ outcome: taken ? 'taken' : 'refused' })
      configurationValid.set(taken ? 1 : 0)
    },
    certificateEvent: ({ type }) => certificateEvents.inc({ type }),
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

const reasonOf = (decision: Decided['decision']): string =>
  decision.kind === 'deny' ? decision.problems[0].reason : decision.kind === 'skip' ? decision.reason : ''
