import type { Test } from 'tap'
import { sidecarContainer } from '../../../shared/names.ts'
import type { Status } from '../../../sidecar/report/status.ts'
import { forward } from './forward.ts'
import { get, kubectl, list, logs } from './kubectl.ts'
import { eventually } from './eventually.ts'

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

/** The parts of a Pod that the scenarios read. */
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

/** Waits until a pod is ready and returns it. */
export const readyPod = (namespace: string, name: string, seconds = 90): Promise<Pod> =>
  eventually(
    `pod ${name} is ready`,
    async () => {
      const pod = await getPod(namespace, name)
      return isReady(pod) && pod
    },
    { seconds },
  )

/** Waits until that many pods of a selector are ready and returns them. */
export const readyPods = (namespace: string, selector: string, count: number, seconds = 90): Promise<Pod[]> =>
  eventually(
    `${count} pods of ${selector} are ready`,
    async () => {
      const pods = (await list<Pod>(namespace, 'pods', selector)).filter(isReady)
      return pods.length === count && pods
    },
    { seconds },
  )

/** Waits until a container's log contains a text, and returns the whole log. */
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

/** Returns the status of a container of any kind. */
export const statusOf = (pod: Pod, container: string): ContainerStatus | undefined =>
  [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])].find(
    ({ name }) => name === container,
  )

/**
 * Returns the part of `kubectl describe pod` from the first last state on, which says why a run of a container ended;
 * else an empty text.
 */
export async function describedLastState(namespace: string, name: string): Promise<string> {
  const text = await kubectl(['describe', 'pod', '-n', namespace, name])
  return /^ +Last State:.*/ms.exec(text)?.[0] ?? ''
}

/** Connects to a pod's sidecar while the test runs; returns a function that gets a path. */
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

/** Returns what a sidecar answers through `kubectl port-forward`. */
export async function sidecarStatus(t: Test, namespace: string, name: string): Promise<Status> {
  const ask = await connectSidecar(t, namespace, name)
  return (await (await ask('/status')).json()) as Status
}
