import { createHash } from 'node:crypto'
import type { Clock } from '../shared/clock.ts'
import { ApiError, type Api } from '../shared/kubernetes/api.ts'
import { createEvent, eventTime } from '../shared/kubernetes/event.ts'
import type { Logger } from '../shared/log.ts'
import { printable } from '../shared/printable.ts'
import { createEventBudget } from '../webhook/report/event-budget.ts'
import { classKind, classVersion, program } from './names.ts'
import type { SyncMessage } from './reasons.ts'

/** The class that an Event is about. */
export interface EventSubject {
  namespace: string
  name: string
  uid: string
}

export interface SyncEvents {
  /** Sends an Event, unless the same one was sent within ten minutes. It never rejects. */
  tell(subject: EventSubject, message: SyncMessage): Promise<void>
  /** The number of Events that were left out because their namespace had too many. */
  dropped: () => number
}

/** The API's own limit. {@link https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/} */
export const longestMessage = 1024
/** An Event that stays true is counted up this often. */
const repeatMs = 600_000
const mostRemembered = 2000
const requestTimeoutMs = 5_000

/**
 * Creates a sender of Events on classes. The name of an Event is derived from what it says, so that a process that was killed between a write
 * and its Event makes up for the Event, and none appears twice. RBAC: create and patch on `events`.
 */
export function createSyncEvents(options: {
  api: Api
  /** The name of this pod. */
  instance: string
  log: Logger
  clock: Pick<Clock, 'now' | 'elapsed'>
}): SyncEvents {
  const { api, instance, log, clock } = options
  const hasBudget = createEventBudget(clock)
  const sent = new Map<string, { count: number; at: number }>()
  let dropped = 0

  function remember(name: string, count: number): void {
    sent.delete(name)
    sent.set(name, { count, at: clock.elapsed() })
    if (sent.size > mostRemembered) sent.delete(sent.keys().next().value as string)
  }

  async function send(subject: EventSubject, { reason, message, at }: SyncMessage, name: string): Promise<void> {
    const { namespace } = subject
    const now = clock.now()
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
    const signal = AbortSignal.timeout(requestTimeoutMs)
    const involvedObject = { apiVersion: classVersion, kind: classKind, ...subject }
    const type = reason === 'Synced' ? 'Normal' : 'Warning'
    const text = cut(printable(message))
    const body = {
      ...createEvent({ name, namespace, involvedObject, type, reason, message: text, at: at ?? now, instance }),
      ...{ source: { component: program }, reportingComponent: program },
    }
    const count = (sent.get(name)?.count ?? 0) + 1
    try {
      await api.call({ method: 'POST', path, body, signal })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error
      // A write happens once, whoever tells it.
      if (at === undefined) {
        const patch = { count: Math.max(2, count), lastTimestamp: eventTime(now) }
        const contentType = 'application/merge-patch+json'
        await api.call({ method: 'PATCH', path: `${path}/${name}`, body: patch, contentType, signal })
      }
    }
    remember(name, count)
  }

  return {
    async tell(subject, message) {
      const { reason, at } = message
      const isOld = at !== undefined && clock.now() - at > repeatMs
      const name = eventName(subject, message)
      const last = sent.get(name)
      if (isOld || (last !== undefined && (at !== undefined || clock.elapsed() - last.at < repeatMs))) return
      if (!hasBudget(subject.namespace)) {
        dropped++
        return
      }
      await send(subject, message, name).catch((error: unknown) => {
        log.warn(
          { event: 'event-failed', namespace: subject.namespace, class: subject.name, reason },
          (error as Error).message,
        )
      })
    },
    dropped: () => dropped,
  }
}

const cut = (text: string): string =>
  text.length <= longestMessage ? text : `${text.slice(0, longestMessage - 1)}…`.toWellFormed()

/** What a message says determines the name; the name of a class may have as many characters as that of an Event. */
function eventName({ name, uid }: EventSubject, { reason, secret = '', message, at }: SyncMessage): string {
  const text = JSON.stringify([uid, reason, secret, at ?? message])
  const end = `.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
  return name.slice(0, 253 - end.length).replace(/[^a-z0-9]+$/, '') + end
}
