import { sidecarContainer } from '../../shared/names.ts'
import type { Container, Pod } from './cluster.ts'
import { containerConfig, layOutVolumes, type Node } from './kubelet.ts'
import type { Watched } from './processes.ts'
import { sidecarProgram, type Runtime } from './runtime.ts'
import { until } from '../support/until.ts'

export interface Sidecar {
  process: Watched
  /** `http://<pod's address>:<port>`: probes, metrics and status. */
  url: string
}

/** The sidecar's container in a patched pod. */
export function sidecarOf(pod: Pod): Container {
  const container = pod.spec.initContainers?.find(({ name }) => name === sidecarContainer)
  if (!container) throw new Error(`the patched pod has no init container ${sidecarContainer}`)
  return container
}

/** Runs the sidecar of a patched pod with exactly what the patch gives it. */
export async function startSidecar(pod: Pod, script: string, runtime: Runtime, node: Node): Promise<Sidecar> {
  const container = sidecarOf(pod)
  await layOutVolumes(pod, node)
  const port = container.startupProbe?.httpGet?.port
  if (port === undefined) throw new Error('the sidecar in the patched pod has no startup probe by HTTP')
  const process = await runtime.start(containerConfig(pod, container, node), sidecarProgram(script))
  return { process, url: `http://${node.podIP}:${port}` }
}

/**
 * Asks as the kubelet's startup probe does, until the answer is 200.
 * @throws when the sidecar ends before, with its termination message, or when the time (milliseconds) is over
 */
export async function untilReady(
  { process, url }: Sidecar,
  pod: Pod,
  runtime: Runtime,
  timeout: number,
): Promise<void> {
  const path = sidecarOf(pod).startupProbe?.httpGet?.path ?? '/'
  await until(
    `the startup probe ${path} of the sidecar answers 200`,
    async () => {
      if (process.exit)
        throw new Error(runtime.terminationMessage(process.name) || process.ended('before it was ready'))
      const response = await fetch(url + path, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
      await response?.body?.cancel()
      return response?.ok
    },
    { timeoutMs: timeout },
  )
}
