import { findingsOf, type Finding } from './finding.ts'
import type { ContainerStatus, Pod } from './objects.ts'
import { injectorContainers, placeOf } from './pod-injection.ts'

const { fail } = findingsOf('images')

/** {@link https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff} */
const pullFailures: readonly string[] = [
  ...['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'],
  ...['RegistryUnavailable', 'SignatureValidationFailed', 'ImageInspectError'],
]

export const statusesOf = ({ status = {} }: Pod): ContainerStatus[] => [
  ...(status.initContainerStatuses ?? []),
  ...(status.containerStatuses ?? []),
]

/** Finds containers of a pod whose images cannot be pulled. */
export function judgeImages(pod: Pod): Finding[] {
  const containers = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]
  return statusesOf(pod).flatMap(({ name, state }) => {
    const { reason = '', message = '' } = state?.waiting ?? {}
    if (!pullFailures.includes(reason)) return []
    const image = containers.find((one) => one.name === name)?.image ?? 'its image'
    const isOurs = injectorContainers.includes(name)
    const origin = isOurs
      ? "image in the administrator's file, or the image of the webhook"
      : 'the image in the pod template'
    return [
      fail(
        `${placeOf(pod)}, container ${name}`,
        `${image} cannot be pulled (${reason}): ${message}`,
        `correct ${origin}, or let the nodes pull it: imagePullSecrets of the pod's ServiceAccount, or the registry's role AcrPull for the kubelet's identity`,
      ),
    ]
  })
}
