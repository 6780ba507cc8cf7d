import type { Bench } from './bench.ts'
import { bundleSize } from './bundle-size.ts'
import { fleet } from './fleet.ts'
import { processScan } from './process-scan.ts'
import { sidecarPoll } from './sidecar-poll.ts'
import { sidecarStart } from './sidecar-start.ts'
import { signalLatency } from './signal-latency.ts'
import { soak } from './soak.ts'
import { webhookLoad } from './webhook-load.ts'
import { webhookMemory } from './webhook-memory.ts'

export const benches: Bench[] = [
  sidecarPoll,
  sidecarStart,
  bundleSize,
  processScan,
  webhookMemory,
  webhookLoad,
  fleet,
  soak,
  signalLatency,
]

/** What is not measured yet, and what it needs. */
export const leftOut: Readonly<Record<string, string>> = {
  'pod-start': 'a cluster',
  'image-layer': 'a builder of images',
}
