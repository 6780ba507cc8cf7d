import { Gauge, Registry } from 'prom-client'
import type { PodRotationState } from '../shared/coordination/rotation.ts'
import { createIn, metricsOf } from '../shared/metrics.ts'
import type { RefusalReason } from './server.ts'
import type { EndReason } from './session.ts'
import { turnOutcomes, type TurnOutcome } from './turns/member.ts'

const row = metricsOf('akv_injector_coordinator_')

/** The coordinator's metrics. None of the labels is a name that pods can choose. */
export const metrics = {
  sessions: row('gauge', 'sessions', 'Sidecars that have a session.'),
  limit: row('gauge', 'session_limit', "Sessions that the container's memory limit allows."),
  watched: row('gauge', 'watched_groups', 'Types of objects in vaults that are watched.'),
  covered: row('gauge', 'covered_groups', 'Those of them that were completely looked at within the coverage age.'),
  pods: row(
    'gauge',
    'pods',
    'Pods by where they are in rotations: the state of the object that a person has to act on first.',
    ['state'],
  ),
  refused: row('counter', 'refused_sessions_total', 'Requests for a session that were refused, by reason.', ['reason']),
  ended: row('counter', 'ended_sessions_total', 'Sessions that ended, by reason.', ['reason']),
  waiting: row('gauge', 'waiting_pods', 'Pods that have a new set and wait for their turn.'),
  halted: row(
    'gauge',
    'halted_groups',
    'Groups of pods in which a pod failed with new versions, so that no other one switches to them.',
  ),
  decides: row('gauge', 'decides', '1 if this coordinator has the Lease and grants turns, 0 if not.'),
  turns: row('counter', 'turns_total', 'Turns that ended, by outcome.', ['outcome']),
  requests: row('counter', 'vault_requests_total', 'HTTP requests to vaults, by outcome of the operation.', [
    'outcome',
  ]),
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
  const { of, counter, read } = createIn(registry)
  read(metrics.sessions, sessions)
  read(metrics.limit, () => limit)
  read(metrics.watched, () => groups().groups)
  read(metrics.covered, () => groups().fresh)
  read(metrics.waiting, () => turns().waiting)
  read(metrics.halted, () => turns().halted)
  read(metrics.decides, () => Number(decides()))
  const byState: Gauge<'state'> = new Gauge({
    ...of(metrics.pods),
    labelNames: ['state'],
    collect() {
      // The coordinator cannot know of pods without a session, and silent ones do not name their objects.
      const known = Object.entries(pods()).filter(([state]) => state !== 'no-session' && state !== 'unreported')
      for (const [state, count] of known) byState.set({ state }, count)
    },
  })
  const [refused, ended, turned, requests] = [
    counter(metrics.refused),
    counter(metrics.ended),
    counter(metrics.turns),
    counter(metrics.requests),
  ]
  // Prometheus' increase() does not see a series that begins with 1: the first turn that fails would not show.
  for (const outcome of turnOutcomes) turned.inc({ outcome }, 0)
  return {
    refused: (reason) => refused.inc({ reason }),
    ended: (reason) => ended.inc({ reason }),
    turned: (outcome) => turned.inc({ outcome }),
    requested: (outcome, count) => requests.inc({ outcome }, count),
    text: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}
