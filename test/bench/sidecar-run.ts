import { join } from 'node:path'
import { bundles } from '../demo/bundles.ts'
import { appPod, type Pod } from '../demo/cluster.ts'
import { containerConfig, layOutVolumes, type Node } from '../demo/kubelet.ts'
import { plainRuntime } from '../demo/plain-runtime.ts'
import type { Watched } from '../demo/processes.ts'
import { sidecarProgram } from '../demo/runtime.ts'
import { sidecarOf } from '../demo/sidecar.ts'
import { createPod, review } from '../demo/webhook.ts'
import type { BenchContext } from './bench-context.ts'

/** A sidecar as its own process, with everything that the webhook's patch gives it. */
export interface SidecarRun {
  process: Watched
  /** The URL of its metrics. */
  metrics: string
  /** Its command without the program: node and V8's flags. */
  node: string[]
  /**
   * Milliseconds from its start to the first request that the vault or the authority received, and to a complete set of
   * files.
   */
  firstRequest: number
  ready: number
}

export const vault = 'bench-kv'
const hour = 3600

/** Returns the pod of an app with a number of plain secrets, all of them an hour old. */
export async function podWithSecrets(
  { cloud, webhook }: BenchContext,
  count: number,
  pollInterval: string,
): Promise<Pod> {
  const names = Array.from({ length: count }, (_, index) => `secret-${index}`)
  const then = Math.floor(Date.now() / 1000) - hour
  const attributes = { created: then, updated: then }
  for (const name of names) cloud.emulator.vault(vault).setSecret(name, `value of ${name}`, { attributes })
  const pod = appPod({ vault, objects: names.join(','), 'poll-interval': pollInterval }, [])
  return createPod(pod, (await review(webhook, pod)).patch)
}

/** Runs a pod's sidecar until it is ready. @param env variables in addition to those of the patch */
export async function runSidecar(
  context: BenchContext,
  pod: Pod,
  env: Record<string, string> = {},
): Promise<SidecarRun> {
  const { cloud, supervisor } = context
  const folder = context.folder()
  const node: Node = { folder: join(folder, 'volumes'), podIP: '127.0.0.1', signToken: cloud.signToken }
  await layOutVolumes(pod, node)
  const config = containerConfig(pod, sidecarOf(pod), node)
  const runtime = plainRuntime(supervisor, join(folder, 'containers'))
  let firstRequest = NaN
  const start = performance.now()
  const unsubscribe = cloud.emulator.journal.subscribe(() => {
    if (Number.isNaN(firstRequest)) firstRequest = performance.now() - start
  })
  const process = await runtime.start({ ...config, env: { ...config.env, ...env } }, sidecarProgram(bundles.sidecar))
  await process.line('complete set of files', isFirstSet, 30_000)
  const ready = performance.now() - start
  unsubscribe()
  const { port } = sidecarOf(pod).startupProbe?.httpGet ?? {}
  const metrics = `http://127.0.0.1:${port}/metrics`
  return { process, metrics, node: [globalThis.process.execPath, ...config.command.slice(1, -1)], firstRequest, ready }
}

function isFirstSet(line: string): true | undefined {
  const { event, first } = JSON.parse(line) as { event?: string; first?: boolean }
  return event === 'switched' && first === true ? true : undefined
}

/** Returns the number of polls so far. */
export async function polls({ metrics }: SidecarRun): Promise<number> {
  const text = await (await fetch(metrics)).text()
  const counts = text.matchAll(/^akv_injector_sidecar_polls_total\{.*\} (\d+)$/gm)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Returns Node's flags for a pod's sidecar. */
export const sidecarFlags = (pod: Pod): string[] => sidecarOf(pod).args?.slice(0, -1) ?? []
