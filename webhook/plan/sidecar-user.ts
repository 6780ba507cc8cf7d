import type { SignalTarget } from '../../shared/settings/codec.ts'
import { quote } from '../../shared/messages.ts'
import type { PlanContext } from './context.ts'
import type { Mode } from './mode.ts'
import { sendsSignal } from './signal-target.ts'
import { allContainers, type Pod } from '../pod/pod.ts'

/** The image's user, for sidecars that send no signal. */
export const imageUser = 65532

export interface SidecarUser {
  user: number
  group: number
  /** Whether the sidecar gets the capability KILL, the only one that it may have. */
  mayKill: boolean
}

export const enforceLabel = 'pod-security.kubernetes.io/enforce'

/**
 * On OpenShift, the Namespace annotation with the user ids of its pods, as `first/count` or `first-last`. Its other ranges are for fsGroup
 * and supplemental groups, which the sidecar does not set; its group is not limited.
 * {@link https://docs.redhat.com/en/documentation/openshift_container_platform/latest/html/authentication_and_authorization/managing-pod-security-policies}
 */
export const uidRangeAnnotation = 'openshift.io/sa.scc.uid-range'

/** Returns the first user id that the platform assigns to the namespace; undefined if it assigns none, or root. */
function firstOfRange(annotations: Record<string, string>): number | undefined {
  const first = Number(/^\s*(\d{1,10})\s*[-/]\s*\d+\s*$/.exec(annotations[uidRangeAnnotation] ?? '')?.[1])
  return first > 0 && first <= 2147483647 ? first : undefined
}

/**
 * Returns the user and group ids that the sidecar runs with. kill(2) requires the same user id or the capability KILL, so a sidecar that
 * sends a signal gets the ids of its target, if the pod specifies them.
 * @param target undefined if no signal is sent, or its target could not be resolved
 */
export function resolveUser(context: PlanContext, mode: Mode, target: SignalTarget | undefined): SidecarUser {
  const { pod, values, namespace, diagnostics } = context
  const { labels, annotations } = namespace
  const signals = sendsSignal(context, mode)
  const group = values['run-as-group'] ?? ofTarget(pod, target, 'runAsGroup') ?? imageUser
  const isRestricted = labels[enforceLabel] === 'restricted'
  if (signals && values['signal-permission'] === 'cap-kill') {
    if (isRestricted) {
      diagnostics.problem(
        'user-id',
        'signal-permission cap-kill: the namespace enforces Pod Security restricted, which forbids the capability KILL: use same-user with run-as-user',
      )
    }
    return { user: 0, group: values['run-as-group'] ?? 0, mayKill: true }
  }
  const requested = values['run-as-user']
  const known = ofTarget(pod, target, 'runAsUser')
  const user = requested ?? known ?? firstOfRange(annotations) ?? imageUser
  if (!signals && user === 0) {
    diagnostics.problem(
      'user-id',
      'run-as-user 0: the sidecar runs as root only to signal a process of root: set another user ID',
    )
  } else if (user === 0 && isRestricted) {
    diagnostics.problem(
      'user-id',
      'the sidecar would run as user 0 to signal a process of user 0, which Pod Security restricted forbids in this namespace: set runAsUser and run-as-user to another user ID',
    )
  } else if (target !== undefined && user === 0) {
    diagnostics.warn(
      'root-sidecar',
      `set runAsUser of ${quote(target.container)} to a user other than 0: the sidecar runs as user 0 in order to signal it`,
    )
  }
  if (target !== undefined && requested === undefined && known === undefined) {
    diagnostics.warn(
      'unknown-user-id',
      `set runAsUser, run-as-user or signal-permission: the user of ${quote(target.container)} is unknown, so the signal may not be permitted`,
    )
  }
  if (requested !== undefined && known !== undefined && requested !== known) {
    diagnostics.warn(
      'other-user-id',
      `set run-as-user to ${known}: it is ${requested}, but ${quote(target?.container ?? '')} runs as ${known}, so the signal may not be permitted`,
    )
  }
  return { user, group, mayKill: false }
}

function ofTarget(pod: Pod, target: SignalTarget | undefined, field: 'runAsUser' | 'runAsGroup'): number | undefined {
  if (target === undefined) return undefined
  const container = allContainers(pod).find(({ name }) => name === target.container)
  return container?.securityContext?.[field] ?? pod.spec.securityContext?.[field]
}

/** Satisfies Pod Security `restricted`, except for root and the capability KILL if a signal needs them. */
export const securityContext = ({ user, group, mayKill }: SidecarUser) => ({
  runAsNonRoot: user !== 0,
  runAsUser: user,
  runAsGroup: group,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'], ...(mayKill ? { add: ['KILL'] } : {}) },
  seccompProfile: { type: 'RuntimeDefault' },
})
