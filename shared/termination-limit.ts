/** What the kubelet keeps of the termination messages of all containers of a pod together. */
const podBytes = 12 * 1024
/** A message leaves space for so many containers in every pod, since others may be added later. */
export const fewContainers = 8

/**
 * Returns how many bytes of a container's termination message the kubelet keeps: all containers of a pod, init and debug containers too, have
 * equal parts, and what exceeds a part is cut off at the end.
 * {@link https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/status/status_manager.go} (`normalizeStatus`),
 * {@link https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/}
 */
export const longestMessage = (containers = fewContainers): number =>
  Math.floor(podBytes / Math.max(containers, fewContainers))
