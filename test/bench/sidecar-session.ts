import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { bundles, root } from '../demo/bundles.ts'
import type { Pod } from '../demo/cluster.ts'
import { startWebhook } from '../demo/webhook.ts'
import { coordinatorProcess } from '../support/coordinator-process.ts'
import { freePort } from '../support/free-port.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import type { Bench } from './bench.ts'
import type { BenchContext } from './bench-context.ts'
import { hasProc } from './proc.ts'
import { quietly } from './sidecar-poll.ts'
import { podWithSecrets, runSidecar, vault } from './sidecar-run.ts'

const runs = 5
const objects = 25
const pollInterval = '50ms'

/**
 * The memory of a sidecar that has a session with a coordinator, and polls nevertheless, because this coordinator watches none of its
 * vaults; the floor is the same sidecar without a coordinator.
 */
export const sidecarSession: Bench = {
  ids: ['sidecar-memory-session'],
  lacks: () => (hasProc ? undefined : 'the memory of a process, as Linux shows it'),
  async run(context) {
    const ends: (() => unknown)[] = []
    try {
      const alone = await podWithSecrets(context, objects, pollInterval)
      const connected = await coordinatedPod(context, { teardown: (end) => void ends.unshift(end) })
      const samples: number[] = []
      const floor: number[] = []
      for (let run = 0; run < runs; run++) {
        floor.push(await memoryOf(context, alone, false))
        samples.push(await memoryOf(context, connected, true))
      }
      return [{ id: 'sidecar-memory-session', unit: 'MB', samples, floor, target: { aboveFloorAtMost: 0.3 } }]
    } finally {
      for (const end of ends) await end()
    }
  },
}

/** The same pod, injected by a webhook whose configuration names a coordinator. */
async function coordinatedPod(context: BenchContext, life: { teardown: (end: () => unknown) => void }): Promise<Pod> {
  const { cloud, supervisor } = context
  const certificate = certificateFolder(life)
  const port = await freePort()
  const own = { script: join(root, 'dist/coordinator.js'), vaults: ['other-kv'] }
  const { start } = await coordinatorProcess(life, { ...cloud, port, ...own }, certificate)
  await start()
  const coordinator = {
    url: `https://localhost:${port}`,
    caCertificates: certificate.cert,
    vaults: [{ namespaces: ['*'], vaults: [vault] }],
    reconnect: '1s',
  }
  const configuration = stringify({ ...(parse(cloud.configuration) as object), coordinator })
  const script = bundles.webhook
  const webhook = await startWebhook({ supervisor, script, folder: context.folder(), configuration })
  return podWithSecrets({ ...context, webhook }, objects, pollInterval)
}

async function memoryOf(context: BenchContext, pod: Pod, isConnected: boolean): Promise<number> {
  const sidecar = await runSidecar(context, pod)
  // Asking for metrics until then would leave the sidecar with garbage that the session does not cause.
  if (isConnected) await sidecar.process.line('the sidecar has a session', isSession, 30_000)
  const { anonymous } = await quietly(context, sidecar)
  await sidecar.process.stop(1000)
  return anonymous
}

function isSession(line: string): true | undefined {
  const { event, connected } = JSON.parse(line) as { event?: string; connected?: boolean }
  return event === 'coordinator' && connected === true ? true : undefined
}
