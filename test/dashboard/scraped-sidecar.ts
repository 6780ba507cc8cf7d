import { settingsVariable } from '../../shared/names.ts'
import { decodeSettings, encodeSettings } from '../../shared/settings/codec.ts'
import type { BenchContext } from '../bench/bench-context.ts'
import { runSidecar } from '../bench/sidecar-run.ts'
import { appPod, namespace, type Pod } from '../demo/cluster.ts'
import { sidecarOf } from '../demo/sidecar.ts'
import { createPod, review, type Webhook } from '../demo/webhook.ts'
import { freePort } from '../support/free-port.ts'
import type { ScrapeTarget } from './prometheus.ts'

/** Returns the pod with a port of its own for its sidecar: all of them share this machine's loopback address. */
function withOwnPort(pod: Pod, port: number): Pod {
  const own = structuredClone(pod)
  const sidecar = sidecarOf(own)
  for (const variable of sidecar.env ?? []) {
    const settings = variable.name === settingsVariable ? decodeSettings(variable.value ?? '') : undefined
    if (settings?.ok) variable.value = encodeSettings({ ...settings.value, port })
  }
  return own
}

/** Runs the sidecar of a pod that the webhook injects. @param name of the pod, for Prometheus */
export async function scrapedSidecar(
  context: BenchContext,
  webhook: Webhook,
  annotations: Record<string, string>,
  name: string,
): Promise<ScrapeTarget> {
  const pod = appPod(annotations, [])
  const port = await freePort()
  await runSidecar(context, withOwnPort(createPod(pod, (await review(webhook, pod)).patch), port))
  return { address: `127.0.0.1:${port}`, labels: { namespace, pod: name } }
}
