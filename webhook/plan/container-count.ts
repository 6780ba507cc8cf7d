import { fewContainers } from '../../shared/termination-limit.ts'
import { allContainers, type Pod } from '../pod/pod.ts'
import type { Mode } from './mode.ts'

/** Containers that other webhooks may add later, such as those of a mesh, without a change of the sidecar. */
const spare = 4

/**
 * Returns how many containers the pod may have for the injected ones, which shorten their termination messages: the kubelet counts
 * containers to cut them. Undefined for a pod of few containers. More of them than the number leaves space for, from a webhook that runs
 * after the injector's last review or from `kubectl debug`, make the kubelet cut off the end of a message.
 * @param previous what an earlier pass decided, which stays if it is enough
 */
export function roomForContainers(
  pod: Pod,
  { mode, hasVariables }: { mode: Mode; hasVariables: boolean },
  previous: { containers?: number | undefined } | undefined,
): number | undefined {
  const count = allContainers(pod).length + (mode === 'classic' ? 2 : 1) + (hasVariables ? 1 : 0)
  const enough = rounded(count)
  return previous && previous.containers === enough ? enough : rounded(count + spare)
}

const rounded = (count: number): number | undefined =>
  count <= fewContainers ? undefined : Math.ceil(count / fewContainers) * fewContainers
