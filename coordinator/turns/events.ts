import type { PodOwner } from '../../shared/coordination/pod-state.ts'
import type { SentEvent } from '../../shared/kubernetes/event-sender.ts'
import { isOwnerOf } from '../rotation/completions.ts'
import type { PodIdentity } from '../tokens.ts'
import type { TurnEnd } from './member.ts'

/** Returns the Events of a turn that failed: on the pod, and on its controller. */
export function turnEvents(
  { identity, owner }: { identity: PodIdentity; owner: PodOwner | undefined },
  { outcome, request }: TurnEnd,
): SentEvent[] {
  if (outcome !== 'failed' || !request) return []
  const { namespace, pod, uid } = identity
  const { objects, cause = 'it did not come up', versions } = request
  const subjects = [
    { apiVersion: 'v1', kind: 'Pod', name: pod, uid },
    ...(owner && isOwnerOf(owner, identity) ? [owner] : []),
  ]
  const message =
    `${pod} does not come up with a new version of ${objects}: ${cause}. The other pods keep the old one. ` +
    'Do not drain, scale or roll out: new pods start with the new one. Set a good version, or disable the bad one'
  return subjects.map((subject) => ({
    involvedObject: { ...subject, namespace },
    ...{ type: 'Warning', reason: 'TurnFailed', message, identity: [uid, ...versions] },
  }))
}
