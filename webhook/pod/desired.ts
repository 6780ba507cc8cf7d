import { annotationPrefix } from '../../shared/names.ts'
import type { Plan } from '../plan.ts'
import { addMounts } from './mounts.ts'
import { initContainers, isNativeSidecar, withSpec, type Container, type Pod, type Volume } from './pod.ts'
import { sidecarContainers } from './sidecar-container.ts'
import { volumes } from './volumes.ts'

/** The pod as it shall be. What is not changed is the same object as in the pod received. */
export function desiredPod(pod: Pod, plan: Plan): Pod {
  const { settings, mountPath, configuration } = plan
  const mounted = addMounts(pod, settings.admitted.containers, mountPath)
  const { init, beside } = sidecarContainers(plan)
  const pullSecrets = pod.spec.imagePullSecrets ?? []
  const missing = configuration.imagePullSecrets.filter((name) => !pullSecrets.some((secret) => secret.name === name))
  const changed = withSpec(mounted, {
    initContainers: withFirst(init, initContainers(mounted), configuration.knownSidecars),
    containers: [...(mounted.spec.containers ?? []), ...(beside === undefined ? [] : [beside])],
    volumes: withOwn(pod.spec.volumes ?? [], volumes(plan)),
    ...(missing.length > 0 ? { imagePullSecrets: [...pullSecrets, ...missing.map((name) => ({ name }))] } : {}),
    ...(settings.notify.signal === undefined ? {} : { shareProcessNamespace: true }),
  })
  const annotations = {
    ...pod.metadata?.annotations,
    ...plan.annotations,
    [`${annotationPrefix}status`]: 'injected',
    [`${annotationPrefix}version`]: settings.version,
  }
  return { ...changed, metadata: { ...pod.metadata, annotations } }
}

/** First, so that the user's own init containers can read secrets; behind a native proxy, which carries our traffic. */
function withFirst(sidecar: Container, others: Container[], knownSidecars: readonly string[]): Container[] {
  const index = others.findLastIndex((other) => isNativeSidecar(other) && knownSidecars.includes(other.name)) + 1
  return others.toSpliced(index, 0, sidecar)
}

/** A user's placeholder for the volume of the secrets gives its place to ours. */
function withOwn(others: Volume[], own: Volume[]): Volume[] {
  const byName = new Map(own.map((volume) => [volume.name, volume]))
  const names = new Set(others.map(({ name }) => name))
  return [...others.map((volume) => byName.get(volume.name) ?? volume), ...own.filter(({ name }) => !names.has(name))]
}
