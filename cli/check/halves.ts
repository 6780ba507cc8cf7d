import { findingsOf, type Finding } from './finding.ts'
import { componentLabel, components, type Component, type Installation } from './installation.ts'
import type { ContainerStatus, Pod } from './objects.ts'
import { podFields } from './objects.ts'
import type { Reader } from './reader.ts'

const { ok, warn, fail } = findingsOf('halves')

/** The name that a Deployment has in the manifests. */
const nameOf: Record<Component, string> = { webhook: 'akv-injector', standby: 'akv-injector-standby' }
const consequence: Record<Component, string> = {
  webhook: 'the standby injects pods meanwhile',
  standby: 'the webhook injects pods meanwhile, and copies of injected pods are rejected',
}

export async function checkHalves(reader: Reader, installation: Installation): Promise<Finding[]> {
  const { namespace } = installation
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods?labelSelector=${encodeURIComponent('app.kubernetes.io/name=akv-injector')}`
  const pods = await reader.list<Pod>(path, podFields)
  return judgeHalves(installation, pods.kind === 'found' ? pods.value : [])
}

/** @param pods of both halves; they only serve to say why a half is not available */
export function judgeHalves({ namespace, halves }: Installation, pods: readonly Pod[]): Finding[] {
  return components.map((component) => {
    const deployment = halves[component]
    const place = `Deployment ${namespace}/${deployment?.metadata.name ?? nameOf[component]}`
    if (deployment === undefined) return fail(place, 'does not exist', 'kubectl apply -k your overlay')
    const { name } = deployment.metadata
    const { replicas = 1 } = deployment.spec
    const { availableReplicas: available = 0, updatedReplicas: updated = 0 } = deployment.status ?? {}
    const remedy = `kubectl describe pod -n ${namespace} -l ${componentLabel}=${component}, and kubectl logs`
    if (replicas === 0)
      return fail(
        place,
        `is scaled to 0; ${consequence[component]}`,
        `kubectl scale -n ${namespace} deployment/${name} --replicas=1`,
      )
    const why = pods
      .filter(({ metadata }) => metadata.labels?.[componentLabel] === component)
      .flatMap(troubleOf)
      .slice(0, 3)
    const because = why.length === 0 ? '' : `: ${why.join('; ')}`
    if (available === 0) return fail(place, `has no available pod; ${consequence[component]}${because}`, remedy)
    if (available < replicas) return warn(place, `${available} of ${replicas} pods are available${because}`, remedy)
    if (updated < replicas) return warn(place, `a rollout is in progress${because}`, remedy)
    return ok(place, `${available} of ${replicas} available`)
  })
}

/** Returns why a pod is not ready, if it says so. */
function troubleOf({ metadata, status = {} }: Pod): string[] {
  const { conditions = [], initContainerStatuses = [], containerStatuses = [] } = status
  const unscheduled = conditions.find((one) => one.type === 'PodScheduled' && one.status === 'False')
  if (unscheduled !== undefined) return [`pod ${metadata.name} is not scheduled: ${unscheduled.message ?? ''}`]
  const containers = [...initContainerStatuses, ...containerStatuses]
  const told = containers.flatMap((one) => reasonOf(one) ?? [])
  if (told.length > 0) return [`pod ${metadata.name}: ${told.join(', ')}`]
  const isUp = containers.length > 0 && containers.every(({ ready }) => ready === true)
  return isUp ? [] : [`pod ${metadata.name} is not ready`]
}

function reasonOf({ state, lastState }: ContainerStatus): string | undefined {
  const { reason, message } = state?.waiting ?? {}
  const last = lastState?.terminated
  if (reason === undefined) return undefined
  const details = [message, last && `the last run ended with exit code ${last.exitCode ?? '?'}`]
  return [reason, ...details.filter(Boolean)].join(': ')
}
