import type { Logger } from '../../shared/log.ts'
import { realClock, type Random, type WallClock } from '../../shared/clock.ts'
import { ApiError, type Api } from '../../shared/kubernetes/api.ts'
import { createEvent } from '../../shared/kubernetes/event.ts'
import type { OnLimited } from '../limits.ts'
import { eventAnchor, troubleshootingLink } from '../../shared/names.ts'
import type { EventReason } from './event-reasons.ts'
import { findMisses, noMisses, type Miss } from './misses.ts'
import { missReasons, type MissReason } from '../reasons.ts'

export interface AuditOptions {
  api: Api
  /** The name of this pod, for `reportingInstance`. */
  instance: string
  log: Logger
  /** Called after each audit with the number of pods by reason. */
  counted: (counts: Record<MissReason, number>) => void
  onLimited?: OnLimited
  /** While it returns true, no pod is injected on purpose, so none is missed. */
  paused?: () => boolean
  /** Time between two audits, with a jitter of a tenth. */
  intervalMs?: number
  clock?: WallClock
  random?: Random
}

const retryMs = 60_000

/**
 * Audits all pods every ten minutes for those that request injection and have no sidecar: counts them by reason, and creates one Warning
 * Event for each. Continues after failures until `close()`.
 *
 * Only metadata is read, which does not contain containers: the annotation `status: injected` shows that a pod has a sidecar, because one patch
 * adds both. Every replica audits; an Event's name derives from the pod's uid, so the API server accepts only the first one. RBAC: list on
 * `pods` and `namespaces`, create on `events`, cluster-wide.
 */
export function startAudit(options: AuditOptions): { close: () => Promise<void> } {
  const { api, log, counted, paused = () => false, intervalMs = 600_000 } = options
  const { clock = realClock, random = Math.random, onLimited } = options
  const closing = new AbortController()
  let reported = new Map<string, string>()

  async function audit(): Promise<void> {
    if (paused()) return counted(noMisses())
    const found = await findMisses(api, reported, { signal: closing.signal, onLimited })
    counted(found.counts)
    reported = found.reported
    for (const miss of found.fresh) {
      await emitEvent(miss, options)
      reported.set(miss.uid, miss.namespace)
    }
  }

  async function run(): Promise<void> {
    // Avoids a list while all replicas, or the whole cluster, start.
    let pause = Math.min(intervalMs, retryMs) * random()
    while (!closing.signal.aborted) {
      await clock.wait(pause, closing.signal)
      if (closing.signal.aborted) return
      pause = intervalMs * (0.9 + 0.2 * random())
      try {
        await audit()
      } catch (error) {
        if (closing.signal.aborted) return
        log.warn(
          { reason: (error as Error).message },
          'the audit for pods without a sidecar failed and will be retried',
        )
        pause = Math.min(intervalMs, retryMs) * (0.5 + random())
      }
    }
  }

  const ended = run()
  return {
    async close() {
      closing.abort()
      await ended
    },
  }
}

const missed: EventReason = 'InjectionMissed'

/** Creates the Event of a pod, unless another replica already did. */
async function emitEvent(
  { name, namespace, uid, reason }: Miss,
  { api, instance, log, clock = realClock }: AuditOptions,
): Promise<void> {
  const body = createEvent({
    name: `akv-injector-missed-${uid}`,
    namespace,
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
    type: 'Warning',
    reason: missed,
    message: `the pod requests Key Vault objects but has no sidecar: ${missReasons[reason]} ${troubleshootingLink(eventAnchor(missed))}`,
    at: clock.now(),
    instance,
  })
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
  try {
    await api.call({ method: 'POST', path, body, signal: AbortSignal.timeout(5_000) })
    log.warn({ namespace, pod: name, reason }, 'a pod that requests injection has no sidecar')
  } catch (error) {
    if (!(error instanceof ApiError) || ![403, 404, 409].includes(error.status)) throw error
    // 409: another replica was first. 403 and 404: the namespace is being deleted and accepts no Events.
    if (error.status !== 409)
      log.warn(
        { namespace, pod: name, reason, error: error.message },
        'a pod that requests injection has no sidecar, and no Event could be created for it',
      )
  }
}
