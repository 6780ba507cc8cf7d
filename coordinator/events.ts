import type { Clock } from '../shared/clock.ts'
import { createBucket } from '../shared/coordination/rate.ts'
import type { Api } from '../shared/kubernetes/api.ts'
import { createEventBudget } from '../shared/kubernetes/event-budget.ts'
import { createEventSender, type EventSender } from '../shared/kubernetes/event-sender.ts'
import type { Logger } from '../shared/log.ts'

/** Events of all namespaces at once, and one more each second. */
const burst = 50

/** Creates a sender of Events on pods, bounded for each namespace and for all of them. RBAC: create and patch on `events`. */
export function createPodEvents(options: {
  api: Pick<Api, 'call'>
  /** The name of this pod. */
  instance: string
  log: Pick<Logger, 'warn'>
  clock: Pick<Clock, 'now' | 'elapsed'>
}): EventSender['tell'] {
  const { api, instance, log, clock } = options
  const ofNamespace = createEventBudget(clock)
  const ofAll = createBucket({ capacity: burst, refillMs: () => 1_000, clock })
  return createEventSender({
    ...{ api, instance, clock },
    component: 'akv-injector-coordinator',
    hasBudget: (namespace) => ofAll.waitMs() === 0 && ofNamespace(namespace) && ofAll.take(),
    onFailed({ involvedObject: { namespace, name }, reason }, error) {
      log.warn({ event: 'event-failed', namespace, pod: name, reason }, error.message)
    },
  }).tell
}
