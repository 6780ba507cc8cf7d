import type { PodRotation, PodRotationState } from '../../shared/coordination/rotation.ts'
import type { KnownObject, KnownPod } from './rotations.ts'

/** An object as the coordinator has seen it in the vault. */
export interface SeenObject {
  newest: { version: string; created?: number }
  /** The versions that it remembers. */
  versions: ReadonlyMap<string, unknown>
}

/** What is judged: an object of a pod, and what is known of the object itself. */
export interface Circumstances {
  pod: Pick<KnownPod, 'isServing' | 'isSuspended' | 'outcome' | 'lostAt'>
  object: KnownObject
  /** Absent if the coordinator does not know the newest version. */
  seen: SeenObject | undefined
  /** Whether a hint about the object reaches the pod. */
  isCovered: boolean
  /** Why the pod has not switched to a set that it has; absent if it waits for nothing. */
  waitsFor?: string | undefined
}

type Judged = { state: 'current' } | Pick<PodRotation, 'state' | 'cause'>

/** What a notification that is pending waits for, by the outcome of its last attempt. */
const waits: Readonly<Record<string, string>> = {
  'no-such-process': 'the process that gets the signal does not run',
  'not-permitted': 'the sidecar may not signal the process: see the sidecar\'s log line "signal-permission"',
  'not-identifiable':
    'the process that gets the signal cannot be identified: see the sidecar\'s log line "notification"',
  'http-error': 'notify-url does not answer with 2xx',
}

/** Says whether the app of a pod uses the newest version of an object, and why not. */
export function judge({ pod, object, seen, isCovered, waitsFor }: Circumstances): Judged {
  const { version, problem, notified, isPinned } = object
  if (pod.lostAt !== undefined)
    return { state: 'lost', cause: 'its session was lost, and its sidecar did not say that it ends' }
  if (seen && version === seen.newest.version) return judgeNotification(pod, notified)
  if (seen && version !== undefined && !seen.versions.has(version) && !isPinned)
    return { state: 'ahead', cause: 'it serves a version that the coordinator has not seen: ask again in a minute' }
  if (problem) {
    const said = problem.message ?? `see the log of its container akv-injector`
    return { state: 'failing', cause: `${problem.kind}: ${said}` }
  }
  if (pod.isSuspended && pod.isServing)
    return { state: 'suspended', cause: 'suspended: remove the annotation azure.keyvault.injector/suspend' }
  if (isPinned) return { state: 'pinned', cause: 'it requests this version: change its objects' }
  if (!pod.isServing)
    return { state: 'behind', cause: 'it has no complete set of files yet: another object is missing' }
  if (waitsFor !== undefined) return { state: 'behind', cause: waitsFor }
  if (!isCovered) return { state: 'behind', cause: `no hint reaches it, so it finds the version when it polls` }
  return { state: 'behind', cause: 'it was sent a hint, and has not switched yet' }
}

function judgeNotification({ outcome }: Pick<KnownPod, 'outcome'>, notified: KnownObject['notified']): Judged {
  switch (notified) {
    case 'yes':
      return { state: 'current' }
    case 'pending':
      return { state: 'notifying', cause: waits[outcome ?? ''] ?? 'its app is notified within splay' }
    case 'none':
      return { state: 'unnotified', cause: 'nothing notifies its app: it has neither signal nor notify-url' }
    case 'variable':
      return {
        state: 'unnotified',
        cause: 'an environment variable keeps the older value: its signal does not restart the container',
      }
  }
}

/** The order in which states are listed: what a person has to act on first. */
export const stateOrder: readonly PodRotationState[] = [
  ...(['failing', 'suspended', 'pinned', 'notifying', 'unnotified', 'behind'] as const),
  ...(['lost', 'unreported', 'ahead', 'no-session', 'current'] as const),
]
