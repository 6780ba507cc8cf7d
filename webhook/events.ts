import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../shared/log.ts'
import { printable } from '../shared/printable.ts'
import { ApiError, type Api } from './cluster/api.ts'
import { eventBudget } from './event-budget.ts'
import { confirmOwners, isName, mayOwn, type Owner } from './owners.ts'
import { readPod } from './pod/pod.ts'
import type { Decided } from './review.ts'
import { skipReasons } from './reasons.ts'

/** A thing that happened to the pods of an owner, as often as `count` says. */
interface Happening {
  namespace: string
  owner: Owner
  type: 'Normal' | 'Warning'
  reason: 'Injected' | 'InjectionDenied' | 'InjectionSkipped'
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
  /** Of this very pod, for `reportingInstance`. */
  instance: string
  log: Logger
  now?: () => number
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>
}

export interface Events {
  /** Takes a decision in and returns at once. */
  add(decided: Decided): void
  /** How many were dropped because too many were waiting, or too many of one namespace. */
  dropped(): number
  close(): Promise<void>
}

const mostWaiting = 500
const mostRemembered = 1000
const interval = 1_000
const requestTimeout = 5_000
/** The API's own limit. {@link https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/} */
const longestMessage = 1024

/**
 * Kubernetes Events on the pods' owners. Equal ones that wait are one with a count, and one that was sent before is counted up;
 * beyond 500 that wait, or beyond its budget of one namespace, new ones are dropped. An owner that does not exist has none: whoever
 * sends a review may have made it up. No answer ever waits for them. RBAC: create and patch on `events`, cluster-wide, and what
 * `confirmOwners` needs.
 */
export function sendEvents({
  api,
  instance,
  log,
  now = Date.now,
  wait = (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
}: EventsOptions): Events {
  // prettier-ignore
  const closing = new AbortController()
  const waiting = new Map<string, Happening>()
  const sent = new Map<string, Sent>()
  const isConfirmed = confirmOwners(api, { now, timeout: requestTimeout })
  const hasBudget = eventBudget({ now })
  let dropped = 0

  async function send(key: string, happening: Happening): Promise<void> {
    if (!(await isConfirmed(happening.namespace, happening.owner))) return
    const signal = AbortSignal.timeout(requestTimeout)
    const last = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const before = sent.get(key)
    const path = `/api/v1/namespaces/${encodeURIComponent(happening.namespace)}/events`
    if (before !== undefined) {
      const count = before.count + happening.count
      const patch = { count, lastTimestamp: last }
      sent.delete(key)
      const isThere = await api.call({ method: 'PATCH', path: `${path}/${before.name}`, body: patch, contentType: 'application/merge-patch+json', signal }).then(() => true, unless404) // prettier-ignore
      if (isThere) return remember(key, { ...before, count })
    }
    // The cluster forgets events after an hour; then a new one begins.
    const body = eventOf(happening, instance, last, now())
    await api.call({ method: 'POST', path, body, signal })
    remember(key, { name: body.metadata.name, count: happening.count, first: last })
  }

  function remember(key: string, entry: Sent): void {
    sent.set(key, entry)
    if (sent.size > mostRemembered) sent.delete(sent.keys().next().value as string)
  }

  async function flush(): Promise<void> {
    for (const [key, happening] of [...waiting]) {
      waiting.delete(key)
      const failed = await send(key, happening).then(
        () => false,
        (error: unknown) => {
          log.warn({ reason: (error as Error).message, event: happening.reason }, 'an Event could not be sent')
          return true
        },
      )
      // An exit does not wait for an API server that does not answer.
      if (failed && closing.signal.aborted) return
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await wait(interval, closing.signal).catch(() => undefined)
      await flush()
    }
  }

  const running = run()
  return {
    add(decided) {
      const happening = happeningOf(decided)
      if (happening === undefined) return
      const { namespace, owner, reason, message } = happening
      // All that is claimed of the owner: a made-up one must not take in the Events of one that exists.
      const key = JSON.stringify([namespace, owner, reason, message])
      const same = waiting.get(key)
      if (same !== undefined) same.count++
      else if (waiting.size < mostWaiting && hasBudget(namespace)) waiting.set(key, happening)
      else dropped++
    },
    dropped: () => dropped,
    async close() {
      closing.abort()
      await running
    },
  }
}

/** What of a decision is worth an Event, and has somewhere to put it: a dry run has no traces, and a bare pod no owner. */
export function happeningOf({ decision, request, report, purpose }: Decided): Happening | undefined {
  if (request.dryRun || purpose === 'validate' || decision.kind === 'skip' && decision.reason !== 'opted-out') return undefined // prettier-ignore
  if (isToldByAnother({ decision, report, purpose })) return undefined
  const pod = readPod(request.object)
  const owner = pod.ok ? pod.value.metadata?.ownerReferences?.find(({ controller }) => controller) : undefined
  if (!owner?.apiVersion || !owner.kind || !owner.name || !owner.uid) return undefined
  const { apiVersion, kind, name, uid } = owner
  if (!mayOwn({ apiVersion, kind, name, uid }) || !isName(request.namespace ?? '') || uid.length > 300) return undefined
  const common = { namespace: request.namespace ?? '', owner: { apiVersion, kind, name, uid }, count: 1 }
  const prefix = report ? 'only reported: ' : ''
  switch (decision.kind) {
    case 'inject': {
      const { mode, objects } = decision.settings
      const vaults = [...new Set(objects.map(({ vault }) => vault))].join(', ')
      return { ...common, type: 'Normal', reason: 'Injected', message: cut(`${prefix}sidecar of mode ${mode}, objects: ${objects.length}, vaults: ${vaults}`) } // prettier-ignore
    }
    case 'deny':
      return { ...common, type: 'Warning', reason: 'InjectionDenied', message: cut(prefix + decision.problems.map(({ text }) => text).join('; ')) } // prettier-ignore
    case 'skip':
      return { ...common, type: 'Normal', reason: 'InjectionSkipped', message: prefix + skipReasons[decision.reason] }
  }
}

/** What is only reported is so by the half that is asked first, and what that leaves to the other half is not refused yet. */
const isToldByAnother = ({ decision, report, purpose }: Pick<Decided, 'decision' | 'report' | 'purpose'>): boolean =>
  report
    ? purpose === 'standby' || purpose === 'guard'
    : purpose === 'mutate' && decision.kind === 'deny' && ['overloaded', 'unavailable'].includes(decision.problems[0].reason) // prettier-ignore

function unless404(error: unknown): false {
  if (error instanceof ApiError && error.status === 404) return false
  throw error
}

/** A tenant wrote a part of it, and people read it in a terminal. */
function cut(said: string): string {
  const text = printable(said)
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage - 1)}…`.toWellFormed()
}

/** An owner's own may be as long. {@link https://kubernetes.io/docs/concepts/overview/working-with-objects/names/} */
const longestName = 253

/** Ends as those of the API server's own recorder do, unique by the time. Before a dot there has to be a letter or digit. */
function eventName(owner: string, now: number): string {
  const end = `.${(BigInt(now) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n)).toString(16)}`
  return owner.slice(0, longestName - end.length).replace(/[^a-z0-9]+$/, '') + end
}

const eventOf = (
  { namespace, owner, type, reason, message, count }: Happening,
  instance: string,
  time: string,
  now: number,
) => ({
  // prettier-ignore
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: eventName(owner.name, now), namespace },
  involvedObject: { ...owner, namespace },
  type,
  reason,
  message,
  count,
  firstTimestamp: time,
  lastTimestamp: time,
  source: { component: 'akv-injector' },
  reportingComponent: 'akv-injector',
  reportingInstance: instance,
})
