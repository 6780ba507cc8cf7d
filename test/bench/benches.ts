import type { Bench } from './bench.ts'
import { bundleSize } from './bundle-size.ts'
import { fleet } from './fleet.ts'
import { sidecarPoll } from './sidecar-poll.ts'
import { sidecarStart } from './sidecar-start.ts'
import { soak } from './soak.ts'
import { webhookLoad } from './webhook-load.ts'
import { webhookMemory } from './webhook-memory.ts'

export const benches: Bench[] = [sidecarPoll, sidecarStart, bundleSize, webhookMemory, webhookLoad, fleet, soak]

/** What is not measured here, and what it would need. */
export const leftOut: Readonly<Record<string, string>> = {
  'pod-start': 'needs a cluster',
  'image-layer': 'needs a builder of images',
}
