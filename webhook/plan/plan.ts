import type { Settings } from '../../shared/settings/codec.ts'
import type { Configuration } from '../configuration/configuration.ts'
import type { Pod } from '../pod/pod.ts'
import type { Diagnostics } from '../reasons.ts'
import { checkSettings } from './check-settings.ts'
import { roomForContainers } from './container-count.ts'
import type { PlanContext } from './context.ts'
import { resolveCoordinator } from './coordinator.ts'
import { resolveValues } from './effective-annotations.ts'
import type { PodIdentity } from './identity.ts'
import type { PlanInputs } from './inputs.ts'
import { checkLimitRanges } from './limit-range.ts'
import { meshAnnotations } from './mesh.ts'
import { resolveMode } from './mode.ts'
import { checkMounts } from './mount-clashes.ts'
import { resolveContainers } from './mounts.ts'
import { warnOfNoEffect } from './no-effect.ts'
import { resolveRequests } from './requests.ts'
import { resolveResources, type ResolvedResources } from './resources.ts'
import { createSettings } from './settings.ts'
import { resolveUser, type SidecarUser } from './sidecar-user.ts'
import { resolveSignal } from './signal-target.ts'
import type { ProjectedToken } from './tokens.ts'
import { warnWithoutTurns } from './turns.ts'
import { resolveVariables, type Variables } from './variables.ts'

/** Everything that is decided about a pod before it is changed. */
export interface Plan {
  settings: Settings
  /** Absent if the pod requests no environment variables. */
  variables?: Variables
  /** The settings as the value of the sidecar's environment variable. */
  encodedSettings: string
  /** The folder in which app containers see the files, or `none`; the sidecar may mount them elsewhere. */
  mountPath: string
  /** Annotations to add to the pod, besides those that every injected pod gets. */
  annotations: Record<string, string>
  identity: PodIdentity
  /** ServiceAccount tokens of the token volume, one for each audience; there is no such volume without tokens. */
  tokens: ProjectedToken[]
  user: SidecarUser
  resources: ResolvedResources
  image: string
  hostNetwork: boolean
  /** How many containers the injected ones share termination messages with; absent in a pod of few containers. */
  containers?: number
  configuration: Configuration
}

/**
 * Decides everything about a pod that requests injection.
 * @param previous what an earlier pass decided: containers that were added since then get no mount
 * @returns undefined if `diagnostics` holds problems
 */
export function createPlan(
  pod: Pod,
  inputs: PlanInputs,
  previous: { settings?: Settings; containers?: number } | undefined,
  diagnostics: Diagnostics,
): Plan | undefined {
  const { namespace, configuration } = inputs
  const values = resolveValues(pod.metadata?.annotations ?? {}, namespace.annotations, configuration, diagnostics)
  const context: PlanContext = { pod, values, namespace, configuration, diagnostics }

  const oldestKubelet = configuration.oldestKubelet ?? inputs.oldestKubelet
  const mode = resolveMode(context, oldestKubelet)
  const containers = resolveContainers(context, previous?.settings?.admitted.containers)
  checkMounts(context, containers)
  const signal = resolveSignal(context, mode, previous?.settings?.notify.signal)
  warnOfNoEffect(context, mode)
  const user = resolveUser(context, mode, signal)
  const requests = resolveRequests(context, inputs)
  const variables = resolveVariables(context, {
    mode,
    containers,
    requests,
    oldestKubelet,
    apiServer: inputs.apiServer,
  })
  const hasVariables = variables !== undefined
  const resources = resolveResources(context, { mode, hasVariables })
  const coordinator = resolveCoordinator(context, mode, requests, signal)
  if (!coordinator) warnWithoutTurns(context)
  const settings = createSettings(context, {
    mode,
    containers,
    signal,
    requests,
    variables: variables?.variables,
    coordinator: coordinator?.settings,
    version: inputs.version,
  })
  const encodedSettings = checkSettings(context, settings, { requests, user, templates: inputs.templates })
  checkLimitRanges(context, inputs.limitRanges, { resources, mode, hasVariables })
  const annotations = meshAnnotations(context, settings, requests.complete)

  const room = roomForContainers(pod, { mode, hasVariables }, previous)

  if (diagnostics.problems.length > 0) return undefined
  return {
    settings,
    ...(variables === undefined ? {} : { variables }),
    encodedSettings,
    mountPath: values['mount-path'],
    annotations,
    identity: requests.identity,
    tokens: [
      // With an identity binding, the workload identity webhook adds that of the identity.
      ...(requests.identity.mode === 'identity-binding' ? [] : requests.tokens),
      ...(coordinator ? [coordinator.token] : []),
    ],
    user,
    resources,
    image: configuration.image ?? inputs.image,
    hostNetwork: pod.spec.hostNetwork ?? false,
    ...(room === undefined ? {} : { containers: room }),
    configuration,
  }
}
