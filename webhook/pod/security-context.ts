import type { SignalTarget } from '../../shared/settings.ts'
import type { Namespace } from '../plan.ts'
import type { Notes } from '../reasons.ts'
import type { Values } from '../values.ts'
import { allContainers, type Pod } from './pod.ts'

/** User of the image, for pods whose sidecar signals nobody. */
const imageUser = 65532

export interface SidecarUser {
  user: number
  group: number
  /** The one capability that a sidecar may keep. */
  mayKill: boolean
}

export const enforceLabel = 'pod-security.kubernetes.io/enforce'

/**
 * On a Namespace of OpenShift: the user ids of its pods, as `first/count` or `first-last`. Its other ranges are about fsGroup and
 * supplemental groups, which the sidecar does not set; the group that it runs with is not limited.
 * {@link https://docs.redhat.com/en/documentation/openshift_container_platform/latest/html/authentication_and_authorization/managing-pod-security-policies}
 */
export const uidRangeAnnotation = 'openshift.io/sa.scc.uid-range'

/** The first user id that a platform gives the namespace; undefined if it gives out none, or root. */
function firstOfRange(annotations: Record<string, string>): number | undefined {
  const first = Number(/^\s*(\d{1,10})\s*[-/]\s*\d+\s*$/.exec(annotations[uidRangeAnnotation] ?? '')?.[1])
  return first > 0 && first <= 2147483647 ? first : undefined
}

/**
 * The ids that the sidecar runs with. kill(2) needs the same user id or the capability KILL, so with a signal they are the
 * target's, as far as the pod says them.
 * @param signals whether somebody is to be signalled: the target is not known where the pod does not say who
 */
export function resolveUser(
  pod: Pod,
  { labels, annotations }: Pick<Namespace, 'labels' | 'annotations'>,
  values: Values,
  signals: boolean,
  target: SignalTarget | undefined,
  notes: Notes,
): SidecarUser {
  const group = values['run-as-group'] ?? ofTarget(pod, target, 'runAsGroup') ?? imageUser
  const isRestricted = labels[enforceLabel] === 'restricted'
  if (signals && values['signal-permission'] === 'cap-kill') {
    if (isRestricted) {
      notes.problem('user-id', 'signal-permission cap-kill: the namespace enforces Pod Security restricted, which refuses the capability KILL; use same-user with run-as-user') // prettier-ignore
    }
    return { user: 0, group: values['run-as-group'] ?? 0, mayKill: true }
  }
  const asked = values['run-as-user']
  const known = ofTarget(pod, target, 'runAsUser')
  const user = asked ?? known ?? firstOfRange(annotations) ?? imageUser
  if (!signals && user === 0) {
    notes.problem('user-id', 'run-as-user 0: the sidecar runs as root only to signal a process of root')
  } else if (user === 0 && isRestricted) {
    notes.problem('user-id', 'the sidecar would run as user 0 to signal a process of user 0: the namespace enforces Pod Security restricted, which refuses that; set runAsUser and run-as-user to another one') // prettier-ignore
  } else if (target !== undefined && user === 0) {
    notes.warn('root-sidecar', 'the sidecar runs as user 0 to signal a process of user 0')
  }
  if (target !== undefined && asked === undefined && known === undefined) {
    notes.warn('unknown-user-id', `which user runs ${target.container} is unknown: set runAsUser, run-as-user or signal-permission`) // prettier-ignore
  }
  if (asked !== undefined && known !== undefined && asked !== known) {
    notes.warn('other-user-id', `run-as-user is ${asked}, but ${target?.container} runs as ${known}: the signal may not be permitted`) // prettier-ignore
  }
  return { user, group, mayKill: false }
}

function ofTarget(pod: Pod, target: SignalTarget | undefined, field: 'runAsUser' | 'runAsGroup'): number | undefined {
  if (target === undefined) return undefined
  const container = allContainers(pod).find(({ name }) => name === target.container)
  return container?.securityContext?.[field] ?? pod.spec.securityContext?.[field]
}

/** Satisfies Pod Security `restricted`, but for root and the capability to kill where they were asked for. */
export const securityContext = ({ user, group, mayKill }: SidecarUser) => ({
  runAsNonRoot: user !== 0,
  runAsUser: user,
  runAsGroup: group,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'], ...(mayKill ? { add: ['KILL'] } : {}) },
  seccompProfile: { type: 'RuntimeDefault' },
})
