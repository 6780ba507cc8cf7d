import { noMount } from '../../shared/annotations/parsers.ts'
import { annotationPrefix } from '../../shared/names.ts'
import type { Plan } from '../plan/plan.ts'
import { addMounts } from '../plan/mounts.ts'
import { sidecarIndex } from '../plan/order.ts'
import { initContainers, withSpec, type Pod, type Volume } from '../pod/pod.ts'
import { backupExclusion } from './backup.ts'
import { sidecarContainers } from './sidecar-container.ts'
import { addVariables, checkingContainer } from './variables.ts'
import { volumes } from './volumes.ts'

/**
 * Returns the injected pod. Unchanged parts are the same objects as in the received pod.
 * @param addsVariables false to leave environment variables to a later review
 */
export function desiredPod(pod: Pod, plan: Plan, addsVariables = true): Pod {
  const { settings, mountPath, configuration } = plan
  const variables = addsVariables ? plan.variables : undefined
  const withMounts = mountPath === noMount ? pod : addMounts(pod, settings.admitted.containers, mountPath)
  const mounted = variables === undefined ? withMounts : addVariables(withMounts, variables)
  const { init, beside } = sidecarContainers(plan)
  const pullSecrets = pod.spec.imagePullSecrets ?? []
  const missing = configuration.imagePullSecrets.filter((name) => !pullSecrets.some((secret) => secret.name === name))
  const own = volumes(plan)
  const { podRequests } = plan.resources
  const changed = withSpec(mounted, {
    initContainers: initContainers(mounted).toSpliced(
      sidecarIndex(initContainers(mounted), configuration.knownSidecars),
      0,
      init,
      ...(variables === undefined ? [] : [checkingContainer(plan, variables)]),
    ),
    containers: [...(mounted.spec.containers ?? []), ...(beside === undefined ? [] : [beside])],
    volumes: withOwn(pod.spec.volumes ?? [], own),
    ...(missing.length > 0 ? { imagePullSecrets: [...pullSecrets, ...missing.map((name) => ({ name }))] } : {}),
    ...(Object.keys(podRequests).length === 0 ? {} : { resources: withRequests(pod.spec.resources, podRequests) }),
    ...(settings.notify.signal === undefined ? {} : { shareProcessNamespace: true }),
  })
  const annotations = {
    ...pod.metadata?.annotations,
    ...plan.annotations,
    ...(configuration.velero ? backupExclusion(pod, own) : {}),
    [`${annotationPrefix}status`]: 'injected',
    [`${annotationPrefix}version`]: settings.version,
  }
  return { ...changed, metadata: { ...pod.metadata, annotations } }
}

/** Adds the injected volumes. The secrets volume takes the place of the user's placeholder. */
function withOwn(others: Volume[], own: Volume[]): Volume[] {
  const byName = new Map(own.map((volume) => [volume.name, volume]))
  const names = new Set(others.map(({ name }) => name))
  return [...others.map((volume) => byName.get(volume.name) ?? volume), ...own.filter(({ name }) => !names.has(name))]
}

const withRequests = (resources: Pod['spec']['resources'], requests: Record<string, string>) => ({
  ...resources,
  requests: { ...resources?.requests, ...requests },
})
