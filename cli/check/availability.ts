import type { findingsOf, Finding } from './finding.ts'
import type { ContainerStatus, Deployment, Pod } from './objects.ts'

/** A Deployment, and what else its finding says. */
export interface Availability {
  namespace: string
  deployment: Deployment
  /** What happens while no pod is available. */
  consequence: string
  /** Selects its pods. */
  selector: string
  /** They only serve to say why none is available. */
  pods: readonly Pod[]
}

/** Says whether a Deployment has the pods that it should have. */
export function judgeAvailability(
  { ok, warn, fail }: ReturnType<typeof findingsOf>,
  { namespace, deployment, consequence, selector, pods }: Availability,
): Finding {
  const { name } = deployment.metadata
  const place = `Deployment ${namespace}/${name}`
  const { replicas = 1 } = deployment.spec
  const { availableReplicas: available = 0, updatedReplicas: updated = 0 } = deployment.status ?? {}
  const remedy = `kubectl describe pod -n ${namespace} -l ${selector}, and kubectl logs`
  if (replicas === 0)
    return fail(
      place,
      `is scaled to 0; ${consequence}`,
      `kubectl scale -n ${namespace} deployment/${name} --replicas=1`,
    )
  const why = pods.flatMap(troubleOf).slice(0, 3)
  const because = why.length === 0 ? '' : `: ${why.join('; ')}`
  if (available === 0) return fail(place, `has no available pod; ${consequence}${because}`, remedy)
  if (available < replicas) return warn(place, `${available} of ${replicas} pods are available${because}`, remedy)
  if (updated < replicas) return warn(place, `a rollout is in progress${because}`, remedy)
  return ok(place, `${available} of ${replicas} available`)
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
