import type { Bench } from './bench.ts'
import { podWithSecrets, runSidecar } from './sidecar-run.ts'
import type { BenchContext } from './bench-context.ts'

const runs = 9

/** From process start to the first request on the wire, and to ready, with ten objects. */
export const sidecarStart: Bench = {
  ids: ['sidecar-first-request', 'sidecar-ready'],
  async run(context) {
    const pod = await podWithSecrets(context, 10, '1h')
    const firstRequest: number[] = []
    const ready: number[] = []
    const bare: number[] = []
    for (let run = 0; run < runs; run++) {
      const sidecar = await runSidecar(context, pod)
      firstRequest.push(sidecar.firstRequest)
      ready.push(sidecar.ready)
      await sidecar.process.stop(1000)
      bare.push(await bareStart(context, sidecar.node))
    }
    // The very first run reads the programs from the disk.
    for (const samples of [firstRequest, ready, bare]) samples.shift()
    return [
      {
        id: 'sidecar-first-request',
        unit: 'ms',
        samples: firstRequest,
        floor: bare,
        target: { ratioAtMost: 3 },
      },
      { id: 'sidecar-ready', unit: 'ms', samples: ready, floor: bare, target: { ratioAtMost: 4.5 } },
    ]
  },
}

/** Returns the milliseconds that a script with one line of output takes. */
async function bareStart({ supervisor }: BenchContext, [node = '', ...flags]: string[]): Promise<number> {
  const start = performance.now()
  const bare = supervisor.start('bare node', node, [...flags, '-e', 'console.log("up")'], { env: {} })
  await bare.line('output', (line) => line === 'up' || undefined, 10_000)
  const time = performance.now() - start
  await bare.exited
  return time
}
