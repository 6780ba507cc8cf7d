import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { eventAnchor, troubleshootingLink } from '../names.ts'
import { printable } from '../printable.ts'
import { ApiError, type Api } from './api.ts'
import { createEventBudget } from './event-budget.ts'
import { createEvent, eventTime, type EventContent } from './event.ts'

/** An Event to send. */
export interface SentEvent extends Pick<EventContent, 'involvedObject' | 'type' | 'reason' | 'message'> {
  /** A Warning that leaves out the link to the documentation. */
  isUnlinked?: true
  /** What determines its name in addition to the object's uid and the reason: an Event of a name is there once, and is counted up. */
  identity: readonly (string | number)[]
  /** When it happened, if that identifies it: the same Event is sent once, also by another process. In milliseconds since 1970. */
  at?: number
}

export interface EventSender {
  /** Sends an Event, unless the same one was sent within ten minutes. It never rejects. */
  tell: (event: SentEvent) => Promise<void>
  /** The number of Events that were left out because their namespace had too many. */
  dropped: () => number
}

export interface EventSenderOptions {
  api: Pick<Api, 'call'>
  /** The program that reports. */
  component: string
  /** The name of its pod. */
  instance: string
  onFailed: (event: SentEvent, error: Error) => void
  /** Whether a namespace may have another Event now; by default, within its own budget. */
  hasBudget?: (namespace: string) => boolean
  clock: Pick<Clock, 'now' | 'elapsed'>
}

/** The API's own limit of a message. {@link https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/} */
export const longestMessage = 1024
/** The end of a Warning's message, which is never cut. */
export const linkOf = (reason: string): string => ` ${troubleshootingLink(eventAnchor(reason))}`
/** An Event that stays true is counted up this often. */
const repeatMs = 600_000
const mostRemembered = 2000
const requestTimeoutMs = 5_000

/**
 * Creates a sender of Events. The name of an Event is derived from what it says, so that a process that was killed between what happened
 * and its Event makes up for the Event, and none appears twice. RBAC: create and patch on `events`.
 */
export function createEventSender(options: EventSenderOptions): EventSender {
  const { api, component, instance, onFailed, clock, hasBudget = createEventBudget(options.clock) } = options
  const sent = new Map<string, { count: number; at: number }>()
  let dropped = 0

  function remember(name: string, count: number): void {
    sent.delete(name)
    sent.set(name, { count, at: clock.elapsed() })
    if (sent.size > mostRemembered) sent.delete(sent.keys().next().value as string)
  }

  async function send(
    { involvedObject, type, reason, message, at, isUnlinked }: SentEvent,
    name: string,
  ): Promise<void> {
    const { namespace } = involvedObject
    const now = clock.now()
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
    const signal = AbortSignal.timeout(requestTimeoutMs)
    const text = cut(printable(message), type === 'Warning' && !isUnlinked ? linkOf(reason) : '')
    const body = {
      ...createEvent({ name, namespace, involvedObject, type, reason, message: text, at: at ?? now, instance }),
      ...{ source: { component }, reportingComponent: component },
    }
    const count = (sent.get(name)?.count ?? 0) + 1
    try {
      await api.call({ method: 'POST', path, body, signal })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error
      // What happened at a time happened once, whichever process tells it.
      if (at === undefined) {
        const patch = { count: Math.max(2, count), lastTimestamp: eventTime(now) }
        const contentType = 'application/merge-patch+json'
        await api.call({ method: 'PATCH', path: `${path}/${name}`, body: patch, contentType, signal })
      }
    }
    remember(name, count)
  }

  return {
    async tell(event) {
      const { at, involvedObject } = event
      const isOld = at !== undefined && clock.now() - at > repeatMs
      const name = eventName(event)
      const last = sent.get(name)
      if (isOld || (last !== undefined && (at !== undefined || clock.elapsed() - last.at < repeatMs))) return
      if (!hasBudget(involvedObject.namespace)) {
        dropped++
        return
      }
      await send(event, name).catch((error: Error) => onFailed(event, error))
    },
    dropped: () => dropped,
  }
}

function cut(text: string, end: string): string {
  const most = longestMessage - end.length
  return (text.length <= most ? text : `${text.slice(0, most - 1)}…`.toWellFormed()) + end
}

/** What an Event says determines its name; the name of an object may have as many characters as that of an Event. */
function eventName({ involvedObject: { name, uid }, reason, identity }: SentEvent): string {
  const end = `.${createHash('sha256')
    .update(JSON.stringify([uid, reason, ...identity]))
    .digest('hex')
    .slice(0, 16)}`
  return name.slice(0, 253 - end.length).replace(/[^a-z0-9]+$/, '') + end
}
