import { requestsOf } from '../plan/finds.ts'
import { realClock, type Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import { printable } from '../../shared/printable.ts'
import { ApiError, type Api } from '../../shared/kubernetes/api.ts'
import { createEvent, eventTime } from '../../shared/kubernetes/event.ts'
import { createEventBudget } from '../../shared/kubernetes/event-budget.ts'
import type { EventReason } from './event-reasons.ts'
import { createOwnerCheck, isName, mayOwn, type Owner } from './owners.ts'
import { isGuard, isLast, type Decided } from '../review/decision.ts'
import { helpOf, skipReasons } from '../reasons.ts'

/** An Event to send about the pods of an owner, which happened `count` times. */
interface PendingEvent {
  namespace: string
  owner: Owner
  type: 'Normal' | 'Warning'
  reason: Exclude<EventReason, 'InjectionMissed'>
  message: string
  count: number
}

interface Sent {
  name: string
  count: number
  first: string
}

export interface EventsOptions {
  api: Api
  /** The name of this pod, for `reportingInstance`. */
  instance: string
  log: Logger
  clock?: Clock
}

export interface Events {
  /** Queues the Event of a decision. */
  add(decided: Decided): void
  /** Returns how many Events were dropped because too many were waiting in total or for one namespace. */
  dropped(): number
  close(): Promise<void>
}

const mostWaiting = 500
const mostRemembered = 1000
const intervalMs = 1_000
const requestTimeoutMs = 5_000
/** The API's own limit. {@link https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/} */
const longestMessage = 1024

/**
 * Sends Kubernetes Events about the pods' owners. Equal Events that wait are combined, and an Event that was sent before is counted up. Beyond
 * 500 waiting Events, or the budget of a namespace, new ones are dropped. An owner that does not exist gets no Event, because the sender of a
 * review may have made it up. No response waits for Events. RBAC: create and patch on `events`, cluster-wide, and what `createOwnerCheck`
 * needs.
 */
export function startEvents({ api, instance, log, clock = realClock }: EventsOptions): Events {
  const closing = new AbortController()
  const waiting = new Map<string, PendingEvent>()
  const sent = new Map<string, Sent>()
  const isConfirmed = createOwnerCheck(api, clock)
  const hasBudget = createEventBudget(clock)
  let dropped = 0

  async function send(key: string, event: PendingEvent): Promise<void> {
    if (!(await isConfirmed(event.namespace, event.owner))) return
    const signal = AbortSignal.timeout(requestTimeoutMs)
    const at = clock.now()
    const last = eventTime(at)
    const before = sent.get(key)
    const path = `/api/v1/namespaces/${encodeURIComponent(event.namespace)}/events`
    if (before !== undefined) {
      const count = before.count + event.count
      const patch = { count, lastTimestamp: last }
      sent.delete(key)
      const isThere = await api
        .call({
          method: 'PATCH',
          path: `${path}/${before.name}`,
          body: patch,
          contentType: 'application/merge-patch+json',
          signal,
        })
        .then(() => true, unless404)
      if (isThere) return remember(key, { ...before, count })
    }
    // The cluster forgets Events after an hour; then a new one is created.
    const { namespace, owner, ...content } = event
    const name = eventName(owner.name, at)
    const body = createEvent({ ...content, name, namespace, involvedObject: { ...owner, namespace }, at, instance })
    await api.call({ method: 'POST', path, body, signal })
    remember(key, { name, count: event.count, first: last })
  }

  function remember(key: string, entry: Sent): void {
    sent.set(key, entry)
    if (sent.size > mostRemembered) sent.delete(sent.keys().next().value as string)
  }

  async function flush(): Promise<void> {
    for (const [key, event] of [...waiting]) {
      waiting.delete(key)
      const failed = await send(key, event).then(
        () => false,
        (error: unknown) => {
          log.warn({ reason: (error as Error).message, event: event.reason }, 'an Event could not be created')
          return true
        },
      )
      // Exiting must not wait for an API server that does not answer.
      if (failed && closing.signal.aborted) return
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.wait(intervalMs, closing.signal)
      await flush()
    }
  }

  const running = run()
  return {
    add(decided) {
      const event = pendingEvent(decided)
      if (event === undefined) return
      const { namespace, owner, reason, message } = event
      // The complete claimed owner, so that a made-up one cannot absorb the Events of a real one.
      const key = JSON.stringify([namespace, owner, reason, message])
      const same = waiting.get(key)
      if (same !== undefined) same.count++
      else if (waiting.size < mostWaiting && hasBudget(namespace)) waiting.set(key, event)
      else dropped++
    },
    dropped: () => dropped,
    async close() {
      closing.abort()
      await running
    },
  }
}

/** Returns the Event of a decision, or undefined if it needs none: a dry run leaves no trace, and a bare pod has no owner. */
export function pendingEvent({ decision, request, pod, report, purpose }: Decided): PendingEvent | undefined {
  if (request.dryRun || purpose === 'validate' || (decision.kind === 'skip' && decision.reason !== 'opted-out'))
    return undefined
  if (isReportedElsewhere({ decision, report, purpose })) return undefined
  const owner = pod?.metadata?.ownerReferences?.find(({ controller }) => controller)
  if (!owner?.apiVersion || !owner.kind || !owner.name || !owner.uid) return undefined
  const { apiVersion, kind, name, uid } = owner
  if (!mayOwn({ apiVersion, kind, name, uid }) || !isName(request.namespace ?? '') || uid.length > 300) return undefined
  const common = { namespace: request.namespace ?? '', owner: { apiVersion, kind, name, uid }, count: 1 }
  const prefix = report ? 'report only: ' : ''
  switch (decision.kind) {
    case 'inject': {
      const { mode, objects, find } = decision.settings
      const vaults = [...new Set(requestsOf(decision.settings).map(({ vault }) => vault))].join(', ')
      const finds = find ? `, finds: ${find.finds.length}` : ''
      return {
        ...common,
        type: 'Normal',
        reason: 'Injected',
        message: cut(`${prefix}sidecar in mode ${mode}, objects: ${objects.length}${finds}, vaults: ${vaults}`),
      }
    }
    case 'deny':
      return {
        ...common,
        type: 'Warning',
        reason: 'InjectionDenied',
        message: cut(
          prefix + decision.problems.map(({ text }) => text).join('; '),
          ` ${helpOf(decision.problems[0].reason)}`,
        ),
      }
    case 'skip':
      return { ...common, type: 'Normal', reason: 'InjectionSkipped', message: prefix + skipReasons[decision.reason] }
  }
}

/** Whether another review sends the Event: the first half reports, and what it leaves to the standby is not denied yet. */
const isReportedElsewhere = ({
  decision,
  report,
  purpose,
}: Pick<Decided, 'decision' | 'report' | 'purpose'>): boolean =>
  report
    ? purpose === 'standby' || isLast(purpose) || isGuard(purpose)
    : isLast(purpose)
      ? decision.kind === 'inject'
      : purpose === 'mutate' &&
        decision.kind === 'deny' &&
        ['overloaded', 'unavailable'].includes(decision.problems[0].reason)

function unless404(error: unknown): false {
  if (error instanceof ApiError && error.status === 404) return false
  throw error
}

/**
 * Returns a message that the API server accepts and a terminal can show: a tenant wrote a part of it.
 * @param end is never cut
 */
function cut(message: string, end = ''): string {
  const text = printable(message)
  const most = longestMessage - end.length
  return text.length <= most ? text + end : `${text.slice(0, most - 1)}…`.toWellFormed() + end
}

/** The owner's name may be as long. {@link https://kubernetes.io/docs/concepts/overview/working-with-objects/names/} */
const longestName = 253

/** Returns a name with the time as its unique end, like those of client-go's recorder. Before the dot must be a letter or digit. */
function eventName(owner: string, now: number): string {
  const end = `.${(BigInt(now) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n)).toString(16)}`
  return owner.slice(0, longestName - end.length).replace(/[^a-z0-9]+$/, '') + end
}
