import { Gauge, Registry } from 'prom-client'
import { createIn, memoryMetric, metricsOf } from '../shared/metrics.ts'
import type { SyncPoll } from './class-sync.ts'

const metric = metricsOf('akv_injector_sync_')

/** The program's metrics. Every label has few values, all of them from tables in the code. */
export const metrics = {
  info: metric('gauge', 'info', 'Always 1; the label is the version that runs.', ['version']),
  policies: metric(
    'gauge',
    'policies_enforced',
    '1 if the last test showed that both admission policies refuse what they must; otherwise nothing is written.',
  ),
  classes: metric('gauge', 'classes', 'SecretProviderClasses that are followed.'),
  failing: metric('gauge', 'failing_classes', 'Classes whose last poll did not succeed, by its result.', ['result']),
  polls: metric('counter', 'polls_total', 'Polls of classes by result.', ['result']),
  writes: metric('counter', 'writes_total', 'Attempts to write a Secret by outcome.', ['outcome']),
  messages: metric('counter', 'messages_total', 'What was to be told about classes, by the reason of the Event.', [
    'reason',
  ]),
  requests: metric('counter', 'vault_requests_total', 'Vault operations by outcome.', ['operation', 'outcome']),
  signIns: metric('counter', 'sign_ins_total', 'Sign-ins (exchanges for an access token) by outcome.', ['outcome']),
  eventsDropped: metric(
    'counter',
    'events_dropped_total',
    'Kubernetes Events that were left out because their namespace had too many.',
  ),
  limited: metric(
    'counter',
    'limited_total',
    'Classes and namespaces that were left out to bound memory and requests.',
    ['limit'],
  ),
  memory: memoryMetric,
} as const

export interface SyncMetrics {
  polled: (key: string, poll: SyncPoll) => void
  request: (request: { operation: string; outcome: string }) => void
  signIn: (signIn: { outcome: string }) => void
  limited: (limit: string) => void
  policies: (enforced: boolean) => void
  /** Returns Prometheus' text format. */
  text: () => Promise<string>
}

/** Values that are read when the metrics are scraped. */
export interface Measured {
  version: string
  /** The keys of the classes that are followed. */
  classes: () => readonly string[]
  eventsDropped: () => number
  memory: () => number
}

export function createSyncMetrics({ version, classes, eventsDropped, memory }: Measured): SyncMetrics {
  const registry = new Registry()
  const { of, counter, gauge, read } = createIn(registry)
  const results = new Map<string, SyncPoll['result']>()
  gauge(metrics.info).set({ version }, 1)
  const policies = gauge(metrics.policies)
  policies.set(0)
  read(metrics.classes, () => classes().length)
  new Gauge({
    ...of(metrics.failing),
    collect() {
      const followed = new Set(classes())
      for (const key of results.keys()) if (!followed.has(key)) results.delete(key)
      for (const result of ['refused', 'failed'] as const)
        this.set({ result }, [...results.values()].filter((one) => one === result).length)
    },
  })
  const polls = counter(metrics.polls)
  const writes = counter(metrics.writes)
  const messages = counter(metrics.messages)
  const requests = counter(metrics.requests)
  const signIns = counter(metrics.signIns)
  const limited = counter(metrics.limited)
  read(metrics.eventsDropped, eventsDropped)
  read(metrics.memory, memory)
  return {
    polled(key, poll) {
      results.set(key, poll.result)
      polls.inc({ result: poll.result })
      for (const { outcome } of poll.writes) writes.inc({ outcome })
      for (const { reason } of poll.messages) messages.inc({ reason })
    },
    request: ({ operation, outcome }) => requests.inc({ operation, outcome }),
    signIn: ({ outcome }) => signIns.inc({ outcome }),
    limited: (limit) => limited.inc({ limit }),
    policies: (enforced) => policies.set(enforced ? 1 : 0),
    text: () => registry.metrics(),
  }
}
