import { Counter, Gauge, Registry } from 'prom-client'
import type { PodRotationState } from '../shared/coordination/rotation.ts'
import type { RefusalReason } from './server.ts'
import type { EndReason } from './session.ts'
import { turnOutcomes, type TurnOutcome } from './turns/member.ts'

/** The coordinator's metrics. None of the labels is a name that pods can choose. */
export const metrics = {
  sessions: {
    type: 'gauge',
    name: 'akv_injector_coordinator_sessions',
    help: 'Sidecars that have a session.',
    labels: [],
  },
  limit: {
    type: 'gauge',
    name: 'akv_injector_coordinator_session_limit',
    help: "Sessions that the container's memory limit allows.",
    labels: [],
  },
  watched: {
    type: 'gauge',
    name: 'akv_injector_coordinator_watched_groups',
    help: 'Types of objects in vaults that are watched.',
    labels: [],
  },
  covered: {
    type: 'gauge',
    name: 'akv_injector_coordinator_covered_groups',
    help: 'Those of them that were completely looked at within the coverage age.',
    labels: [],
  },
  pods: {
    type: 'gauge',
    name: 'akv_injector_coordinator_pods',
    help: 'Pods by where they are in rotations: the state of the object that a person has to act on first.',
    labels: ['state'],
  },
  refused: {
    type: 'counter',
    name: 'akv_injector_coordinator_refused_sessions_total',
    help: 'Requests for a session that were refused, by reason.',
    labels: ['reason'],
  },
  ended: {
    type: 'counter',
    name: 'akv_injector_coordinator_ended_sessions_total',
    help: 'Sessions that ended, by reason.',
    labels: ['reason'],
  },
  waiting: {
    type: 'gauge',
    name: 'akv_injector_coordinator_waiting_pods',
    help: 'Pods that have a new set and wait for their turn.',
    labels: [],
  },
  halted: {
    type: 'gauge',
    name: 'akv_injector_coordinator_halted_groups',
    help: 'Groups of pods in which a pod failed with new versions, so that no other one switches to them.',
    labels: [],
  },
  decides: {
    type: 'gauge',
    name: 'akv_injector_coordinator_decides',
    help: '1 if this coordinator has the Lease and grants turns, 0 if not.',
    labels: [],
  },
  turns: {
    type: 'counter',
    name: 'akv_injector_coordinator_turns_total',
    help: 'Turns that ended, by outcome.',
    labels: ['outcome'],
  },
  requests: {
    type: 'counter',
    name: 'akv_injector_coordinator_vault_requests_total',
    help: 'HTTP requests to vaults, by outcome of the operation.',
    labels: ['outcome'],
  },
} as const

export interface Metrics {
  refused: (reason: RefusalReason) => void
  ended: (reason: EndReason) => void
  turned: (outcome: TurnOutcome) => void
  requested: (outcome: string, requests: number) => void
  /** Returns Prometheus' text format. */
  text: () => Promise<{ contentType: string; text: string }>
}

/** Values that are read when the metrics are scraped. */
export interface Measured {
  sessions: () => number
  limit: number
  groups: () => { groups: number; fresh: number }
  turns: () => { waiting: number; halted: number }
  decides: () => boolean
  pods: () => Readonly<Record<PodRotationState, number>>
}

export function createMetrics({ sessions, limit, groups, turns, decides, pods }: Measured): Metrics {
  const registry = new Registry()
  const of = ({ name, help, labels }: { name: string; help: string; labels: readonly string[] }) => ({
    ...{ name, help, labelNames: [...labels], registers: [registry] },
  })
  const gauge = (row: (typeof metrics)[keyof typeof metrics], value: () => number): void => {
    const one: Gauge = new Gauge({ ...of(row), collect: () => one.set(value()) })
  }
  gauge(metrics.sessions, sessions)
  gauge(metrics.limit, () => limit)
  gauge(metrics.watched, () => groups().groups)
  gauge(metrics.covered, () => groups().fresh)
  gauge(metrics.waiting, () => turns().waiting)
  gauge(metrics.halted, () => turns().halted)
  gauge(metrics.decides, () => (decides() ? 1 : 0))
  const byState: Gauge<'state'> = new Gauge({
    ...of(metrics.pods),
    labelNames: ['state'],
    collect() {
      // The coordinator cannot know of pods without a session, and silent ones do not name their objects.
      const known = Object.entries(pods()).filter(([state]) => state !== 'no-session' && state !== 'unreported')
      for (const [state, count] of known) byState.set({ state }, count)
    },
  })
  const counters = [metrics.refused, metrics.ended, metrics.turns, metrics.requests]
  const [refused, ended, turned, requests] = counters.map((row) => new Counter(of(row)))
  // Prometheus' increase() does not see a series that begins with 1: the first turn that fails would not show.
  for (const outcome of turnOutcomes) turned?.inc({ outcome }, 0)
  return {
    refused: (reason) => refused?.inc({ reason }),
    ended: (reason) => ended?.inc({ reason }),
    turned: (outcome) => turned?.inc({ outcome }),
    requested: (outcome, count) => requests?.inc({ outcome }, count),
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}
