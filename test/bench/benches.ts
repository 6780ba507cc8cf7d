import type { Bench } from './bench.ts'
import { bundleSize } from './bundle-size.ts'
import { sidecarPoll } from './sidecar-poll.ts'
import { sidecarStart } from './sidecar-start.ts'
import { webhookLoad } from './webhook-load.ts'

export const benches: Bench[] = [sidecarPoll, sidecarStart, bundleSize, webhookLoad]

/** What is not measured here, and what it would need. */
export const leftOut: Readonly<Record<string, string>> = {
  'webhook-memory':
    "needs a Kubernetes API that knows thousands of ServiceAccounts, which the webhook's cache is filled from",
  'pod-start': 'needs a cluster',
  'image-layer': 'needs a builder of images',
}
