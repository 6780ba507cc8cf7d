import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { startPodNamespace, type PodNamespace } from '../support/pod-namespace.ts'
import type { Bench } from './bench.ts'
import type { Measured } from './results.ts'
import { podWithSecrets, sidecarFlags } from './sidecar-run.ts'

const processes = 5_000

/** Processor time in milliseconds for each look, including the kernel's. */
export interface Looks {
  entry: number[]
  named: number[]
  /** The floor: opens, reads and closes the `stat` of every process. */
  floor: number[]
}

/**
 * How long the sidecar, with its usual flags, looks for its signal's target among five thousand real processes of its
 * pod.
 */
export const processScan: Bench = {
  ids: ['process-scan', 'process-scan-named'],
  async lacks() {
    const namespace = await startPodNamespace()
    if ('unavailable' in namespace) return `a process namespace of its own: ${namespace.unavailable}`
    await namespace.close()
  },
  async run(context): Promise<Measured[]> {
    const flags = sidecarFlags(await podWithSecrets(context, 1, '1h'))
    const namespace = await startPodNamespace()
    if ('unavailable' in namespace) throw new Error(namespace.unavailable)
    try {
      const { entry, named, floor } = await look(namespace, flags)
      const target = { atMost: 50 }
      return [
        { id: 'process-scan', unit: 'ms', samples: entry, floor, target },
        { id: 'process-scan-named', unit: 'ms', samples: named, floor, target },
      ]
    } finally {
      await namespace.close()
    }
  },
}

async function look(namespace: PodNamespace, flags: string[]): Promise<Looks> {
  // Copies of a waiting shell, the cheapest processes.
  const crowd = `i=0; while [ $i -lt ${processes - 1} ]; do (read line <&3) & i=$((i+1)); done; echo up; read line`
  const app = await namespace.start({
    name: 'app',
    command: ['sh', '-c', `exec 3<&0; ${crowd}`],
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  for await (const line of app.process.stdout as Readable) if (String(line).includes('up')) break
  const script = join(import.meta.dirname, 'process-scan-run.ts')
  const sidecar = await namespace.start({
    name: 'akv-injector',
    command: [process.execPath, ...flags, script, String(processes)],
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(await text(sidecar.process.stdout as Readable)) as Looks
}
