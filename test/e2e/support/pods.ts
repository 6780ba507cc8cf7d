import type { Test } from 'tap'
import { sidecarContainer } from '../../../shared/names.ts'
import type { Status } from '../../../sidecar/status.ts'
import { forward } from './forward.ts'
import { get, kubectl, list, logs } from './kubectl.ts'
import { eventually } from './process.ts'

export interface ContainerStatus {
  name: string
  ready: boolean
  started?: boolean
  restartCount: number
  containerID?: string
  state: {
    running?: object
    waiting?: { reason?: string; message?: string }
    terminated?: { exitCode: number; reason?: string; message?: string }
  }
  lastState?: {
    terminated?: { exitCode: number; reason?: string; message?: string; startedAt?: string; finishedAt?: string }
  }
}

/** The parts of a Pod that the stories read. */
export interface Pod {
  metadata: { name: string; uid: string; labels: Record<string, string>; annotations?: Record<string, string> }
  spec: {
    containers: PodContainer[]
    initContainers?: PodContainer[]
    volumes?: { name: string; emptyDir?: { medium?: string } }[]
    shareProcessNamespace?: boolean
  }
  status: {
    phase: string
    conditions?: { type: string; status: string }[]
    containerStatuses?: ContainerStatus[]
    initContainerStatuses?: ContainerStatus[]
  }
}

export interface PodContainer {
  name: string
  image: string
  env?: { name: string; value?: string }[]
  securityContext?: Record<string, unknown>
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
  startupProbe?: { httpGet?: { port: number } }
}

export const getPod = (namespace: string, name: string): Promise<Pod> => get<Pod>(namespace, 'pod', name)

export const isReady = (pod: Pod): boolean =>
  pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false

/** Waits until a pod is ready and gives it. */
export const readyPod = (namespace: string, name: string, seconds = 90): Promise<Pod> =>
  eventually(
    `pod ${name} is ready`,
    async () => {
      const pod = await getPod(namespace, name)
      return isReady(pod) && pod
    },
    { seconds },
  )

/** Waits until as many pods of a selector are ready and gives them. */
export const readyPods = (namespace: string, selector: string, count: number, seconds = 90): Promise<Pod[]> =>
  eventually(
    `${count} pods of ${selector} are ready`,
    async () => {
      const pods = (await list<Pod>(namespace, 'pods', selector)).filter(isReady)
      return pods.length === count && pods
    },
    { seconds },
  )

/** Waits until a container's log has a text, and gives the whole log. */
export const logHas = (
  namespace: string,
  pod: string,
  container: string,
  text: string | RegExp,
  seconds = 60,
): Promise<string> =>
  eventually(
    `log of ${pod}/${container} has ${String(text)}`,
    async () => {
      const log = await logs(namespace, pod, container)
      return (typeof text === 'string' ? log.includes(text) : text.test(log)) && log
    },
    { seconds },
  )

/** The status of a container, wherever it stands. */
export const statusOf = (pod: Pod, container: string): ContainerStatus | undefined =>
  [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])].find(
    ({ name }) => name === container,
  )

/** The part of `kubectl describe pod` from the first last state on, which is why a run of a container ended; else empty. */
export async function describedLastState(namespace: string, name: string): Promise<string> {
  const text = await kubectl(['describe', 'pod', '-n', namespace, name])
  return /^ +Last State:.*/ms.exec(text)?.[0] ?? ''
}

/** A way to a pod's sidecar for as long as the test runs: what it answers to a path. */
export async function connectSidecar(
  t: Test,
  namespace: string,
  name: string,
): Promise<(path: string) => Promise<Response>> {
  const { spec } = await getPod(namespace, name)
  const sidecar = [...(spec.initContainers ?? []), ...spec.containers].find((one) => one.name === sidecarContainer)
  const port = await forward(t, namespace, `pod/${name}`, sidecar?.startupProbe?.httpGet?.port ?? 0)
  return (path) => fetch(`http://localhost:${port}${path}`)
}

/** What a sidecar says of itself to `kubectl port-forward`. */
export async function sidecarStatus(t: Test, namespace: string, name: string): Promise<Status> {
  const ask = await connectSidecar(t, namespace, name)
  return (await (await ask('/status')).json()) as Status
}
