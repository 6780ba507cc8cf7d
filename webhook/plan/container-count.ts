import { allContainers, type Pod } from '../pod/pod.ts'
import type { Mode } from './mode.ts'

/**
 * Returns how many containers the pod has once it is injected. The kubelet counts them to cut termination messages. Containers that are
 * added after the injector's last review are not counted: by a webhook that runs later, or by `kubectl debug`. If they are more than the
 * rounded number leaves space for, the kubelet cuts off the end of the message.
 */
export const containerCount = (pod: Pod, { mode, hasVariables }: { mode: Mode; hasVariables: boolean }): number =>
  allContainers(pod).length + (mode === 'classic' ? 2 : 1) + (hasVariables ? 1 : 0)
