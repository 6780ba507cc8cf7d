import type { Bench } from './bench.ts'
import { bundleSize } from './bundle-size.ts'
import { coordinatorLatency } from './coordinator-latency.ts'
import { coordinatorRequests } from './coordinator-requests.ts'
import { coordinatorSessions } from './coordinator-sessions.ts'
import { coordinatorTenThousand } from './coordinator-ten-thousand.ts'
import { fleet } from './fleet.ts'
import { imageLayer } from './image-layer.ts'
import { noise } from './noise.ts'
import { peers } from './peers/peers.ts'
import { podStart } from './pod-start.ts'
import { processScan } from './process-scan.ts'
import { sidecarBlock } from './sidecar-block.ts'
import { sidecarPoll } from './sidecar-poll.ts'
import { sidecarSession } from './sidecar-session.ts'
import { sidecarStart } from './sidecar-start.ts'
import { signalLatency } from './signal-latency.ts'
import { soak } from './soak.ts'
import { webhookBlock } from './webhook-block.ts'
import { webhookLoad } from './webhook-load.ts'
import { webhookMemory } from './webhook-memory.ts'

export const benches: Bench[] = [
  noise,
  sidecarPoll,
  sidecarSession,
  sidecarStart,
  bundleSize,
  imageLayer,
  processScan,
  webhookMemory,
  webhookLoad,
  webhookBlock,
  sidecarBlock,
  fleet,
  coordinatorLatency,
  coordinatorRequests,
  coordinatorTenThousand,
  coordinatorSessions,
  soak,
  podStart,
  signalLatency,
  peers,
]
