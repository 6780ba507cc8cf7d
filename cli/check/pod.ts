import { checkConfiguration } from './configuration.ts'
import { findingsOf, type Finding } from './finding.ts'
import type { Installation } from './installation.ts'
import { labelValuesOf, readNamespace } from './namespaces.ts'
import { podFields, type Pod } from './objects.ts'
import { judgeInjection, sidecarOf, type Circumstances } from './pod-injection.ts'
import { judgeImages } from './pod-images.ts'
import { isRunning, judgeSidecar } from './pod-sidecar.ts'
import type { Reader } from './reader.ts'
import { readLog } from './sidecar-log.ts'
import { entriesOf, readRegistrations } from './registrations.ts'

const { fail, unread } = findingsOf('injection')

/** Checks one pod. @param installation absent if it could not be found or read, which is not the pod's problem */
export async function checkPod(
  reader: Reader,
  installation: Installation | undefined,
  namespace: string,
  name: string,
  now: number,
): Promise<Finding[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
  const read = await reader.get<Pod>(path, podFields)
  const place = `pod ${namespace}/${name}`
  if (read.kind === 'unread') return [unread(place, read.reason)]
  if (read.kind === 'missing')
    return [
      fail(
        place,
        'does not exist',
        'if a controller creates it, kubectl get events shows a denial: the webhook writes it to the ReplicaSet, StatefulSet, DaemonSet or Job',
      ),
    ]
  const pod = read.value
  const sidecar = sidecarOf(pod)
  if (sidecar === undefined)
    return [...judgeInjection(pod, await readCircumstances(reader, installation, namespace)), ...judgeImages(pod)]
  const injected = judgeInjection(pod, { namespace: undefined, values: { enabled: '', report: '' } })
  const log = isRunning(pod) ? await readLog(reader, pod, sidecar.name) : undefined
  return [...injected, ...judgeImages(pod), ...judgeSidecar(pod, log, now)]
}

/** Reads what decides whether a pod is injected. */
async function readCircumstances(
  reader: Reader,
  installation: Installation | undefined,
  name: string,
): Promise<Circumstances> {
  const registrations = installation === undefined ? [] : await readRegistrations(reader, installation)
  const { configuration } = installation === undefined ? {} : await checkConfiguration(reader, installation)
  const inject = registrations.find(({ kind }) => kind === 'MutatingWebhookConfiguration')?.read
  const registeredAt = inject?.kind === 'found' ? inject.value.metadata.creationTimestamp : undefined
  const namespace = await readNamespace(reader, name)
  return {
    namespace: namespace.kind === 'found' ? namespace.value : undefined,
    ...(namespace.kind === 'unread' ? { unreadable: namespace.reason } : {}),
    values: labelValuesOf(entriesOf(registrations)),
    report: configuration?.report === true,
    ...(registeredAt === undefined ? {} : { registeredAt }),
  }
}
