import { isVaultAllowed, vaultNameIn } from '../../shared/clouds/vault-rules.ts'
import { audiencePrefix } from '../../shared/coordination/limits.ts'
import { coordinatorTokenName } from '../../shared/names.ts'
import type { Settings, SignalTarget } from '../../shared/settings/codec.ts'
import { revisionLabel, type Pod } from '../pod/pod.ts'
import type { PlanContext } from './context.ts'
import type { Mode } from './mode.ts'
import type { Requests } from './requests.ts'
import type { ProjectedToken } from './tokens.ts'
import { resolveTurns } from './turns.ts'

/** How a pod uses the coordinator: what its sidecar has to know, and the token that it signs in with. */
export interface PlannedCoordinator {
  settings: NonNullable<Settings['coordinator']>
  token: ProjectedToken
}

/** How long a token is valid, in seconds; the kubelet renews it at four fifths. */
const tokenLifetime = 3_600

/**
 * Returns how a pod uses the coordinator; undefined if there is none, if it watches none of the pod's vaults, or if the pod does not
 * follow changes.
 */
export function resolveCoordinator(
  context: PlanContext,
  mode: Mode,
  { objects, finds, clouds, identities }: Requests,
  signal: SignalTarget | undefined,
): PlannedCoordinator | undefined {
  const { pod, namespace, configuration, values } = context
  const { coordinator } = configuration
  if (coordinator === undefined || mode === 'once') return undefined
  const isWatched = [...objects, ...finds].some(({ vault: url, identity }) => {
    const cloud = clouds[identities[identity]?.cloud ?? '']
    return isVaultAllowed(coordinator.vaults, namespace.name, { url, name: cloud && vaultNameIn(url, cloud) })
  })
  if (!isWatched) return undefined
  const { url, caCertificates, coverageAge, reconnect } = coordinator
  const turns = resolveTurns(context, signal)
  const group = values['turn-group'] === undefined ? groupOf(pod) : `group/${values['turn-group']}`
  return {
    settings: {
      url,
      ...(caCertificates !== undefined && { caCertificates }),
      ...{ coverageAge, reconnect, ...ownerOf(pod) },
      ...(turns && { turns }),
    },
    token: { audience: `${audiencePrefix}${group}`, path: coordinatorTokenName, lifetime: tokenLifetime },
  }
}

/** The pod's controller. */
function ownerOf({ metadata }: Pod): Pick<PlannedCoordinator['settings'], 'owner'> {
  const { apiVersion, kind, name, uid } = metadata?.ownerReferences?.find((owner) => owner.controller) ?? {}
  return apiVersion && kind && name && uid ? { owner: { apiVersion, kind, name, uid } } : {}
}

/** The longest name of a group. */
const longestGroup = 320

/** Names the pods that belong together: those of a controller; of a ReplicaSet, those of every revision of its Deployment. */
function groupOf({ metadata }: Pod): string {
  const { kind = 'pod', name = metadata?.name } = metadata?.ownerReferences?.find((owner) => owner.controller) ?? {}
  const revision = `-${metadata?.labels?.[revisionLabel] ?? ''}`
  const isRevision = kind === 'ReplicaSet' && revision.length > 1 && name?.endsWith(revision)
  const own = isRevision ? name?.slice(0, -revision.length) : name
  return [kind.toLowerCase(), own].filter(Boolean).join('/').slice(0, longestGroup)
}
