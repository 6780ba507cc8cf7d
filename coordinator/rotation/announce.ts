import type { Clock } from '../../shared/clock.ts'
import type { SentEvent } from '../../shared/kubernetes/event-sender.ts'
import type { RotationFacts } from './answer.ts'
import { Completions, isOwnerOf, type Completion } from './completions.ts'
import type { KnownPod } from './rotations.ts'

/** Why the coordinator writes Events, which sidecars cannot: they have no access to the Kubernetes API. */
export const eventReasons = {
  SignalNotPermitted: 'the sidecar may not signal the app, which would miss the next rotation',
  SignalNotHandled: 'the app has no handler for its signal, or ignores it',
  VaultRefused: 'a vault has refused to give the pod an object for longer than `refusedAfter`',
  TurnFailed:
    'the app did not come up with new versions, so no other pod of its group switches to them; also on the controller',
  RotationComplete:
    'the apps of all pods of a workload use the new version of an object; on the controller of the pods',
} as const

/** What a vault or its sign-in refuses until a person changes something. */
const refusals: ReadonlySet<string> = new Set(['forbidden', 'unauthorized', 'sign-in'])

export interface AnnounceOptions {
  facts: Pick<RotationFacts, 'rotations' | 'seen' | 'isCovered'>
  /** Decides how often an Event is sent, and how many are. */
  tell: (event: SentEvent) => Promise<void>
  durations: () => { heartbeat: number; refusedAfter: number }
  clock: Clock
}

/** Writes Events on pods and their controllers until the signal aborts. */
export async function announce({ facts, tell, durations, clock }: AnnounceOptions, abort: AbortSignal): Promise<void> {
  const completions = new Completions()
  while (!abort.aborted) {
    await clock.wait(durations().heartbeat, abort)
    const refusedSince = clock.elapsed() - durations().refusedAfter
    const events = [
      ...completions.check(facts).flatMap(completionEvents),
      ...Array.from(facts.rotations.pods()).flatMap((pod) => podEvents(pod, refusedSince)),
    ]
    for (const event of events) {
      if (abort.aborted) return
      await tell(event)
    }
  }
}

/** Returns the Event of a rotation: on the controller of the pods, or on a pod that has none. */
export function completionEvents({ key, version, pods, pod: { identity, owner } }: Completion): SentEvent[] {
  const { namespace, pod, uid, group } = identity
  const controller = owner && isOwnerOf(owner, identity) ? owner : undefined
  if (!controller && group !== `pod/${pod}`) return []
  const subject = controller ?? { apiVersion: 'v1', kind: 'Pod', name: pod, uid }
  const message = `${key}: the apps of all ${pods} pods that have a session use version ${version}`
  const involvedObject = { ...subject, namespace }
  return [{ involvedObject, type: 'Normal', reason: 'RotationComplete', message, identity: [key, version] }]
}

/**
 * Returns the Events that are due for a pod, each in one sentence without a value.
 * @param refusedSince on the monotonic clock: refusals that began later are not told yet
 */
export function podEvents({ identity, permission, objects, lostAt }: KnownPod, refusedSince: number): SentEvent[] {
  if (lostAt !== undefined) return []
  const { namespace, pod, uid } = identity
  const warning = (reason: keyof typeof eventReasons, message: string): SentEvent => ({
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: pod, uid },
    ...{ type: 'Warning', reason, message, identity: [] },
  })
  const see = 'see the log of its container akv-injector'
  const events: SentEvent[] = []
  if (permission === 'not-permitted')
    events.push(warning('SignalNotPermitted', `${eventReasons.SignalNotPermitted}: ${see}`))
  if (permission === 'not-handled') events.push(warning('SignalNotHandled', `${eventReasons.SignalNotHandled}: ${see}`))
  const refused = [...objects].filter(
    ([, { problem, failingSince = Infinity }]) => problem && refusals.has(problem.kind) && failingSince <= refusedSince,
  )
  const [first] = refused
  if (first) {
    const [key, { problem }] = first
    const more = refused.length > 1 ? `; and ${refused.length - 1} more objects` : ''
    events.push(warning('VaultRefused', `${key}: ${problem?.message ?? problem?.kind}${more}`))
  }
  return events
}
