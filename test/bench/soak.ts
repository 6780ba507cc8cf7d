import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './bench.ts'
import { lineChart } from './chart.ts'
import { descriptors, memory } from './proc.ts'
import { podWithSecrets, polls, runSidecar, vault } from './sidecar-run.ts'

const second = 1000
/** SOAK_MINUTES=60 for a longer run. */
export const soakMs = Number(process.env['SOAK_MINUTES'] ?? 3) * 60 * second
/** Time for the engine to compile the code in use, and for its heap to reach its size. */
const warmUp = soakMs / 3
const objects = 25
/** For figures that vary between two garbage collections. */
const window = soakMs / 6

interface Sample {
  /** Milliseconds since the start. */
  at: number
  anonymous: number
  descriptors: number
}

/** Whether a sidecar grows that polls every second and often finds a rotation. */
export const soak: Bench = {
  ids: ['soak-memory', 'soak-descriptors'],
  async run(context) {
    const { cloud, draw, signal } = context
    const sidecar = await runSidecar(context, await podWithSecrets(context, objects, '1s'))
    const { pid } = sidecar.process
    const samples: Sample[] = []
    const start = performance.now()
    for (let count = 0; performance.now() - start < soakMs; count++) {
      signal.throwIfAborted()
      if (count % 5 === 0) cloud.emulator.vault(vault).setSecret(`secret-${count % objects}`, `value ${count}`)
      await sleep(second)
      samples.push({ at: performance.now() - start, anonymous: memory(pid).anonymous, descriptors: descriptors(pid) })
    }
    const polled = await polls(sidecar)
    if (polled < soakMs / (2 * second)) throw new Error(`the sidecar polled only ${polled} times`)
    await sidecar.process.stop(1000)
    draw('soak', chart(samples))
    const warm = samples.filter(({ at }) => at >= warmUp && at < warmUp + window)
    const last = samples.filter(({ at }) => at >= soakMs - window)
    const most = (some: Sample[]) => [Math.max(...some.map((sample) => sample.descriptors))]
    const anonymous = (some: Sample[]) => some.map((sample) => sample.anonymous)
    return [
      { id: 'soak-memory', unit: 'MB', samples: anonymous(last), floor: anonymous(warm), target: { ratioAtMost: 1.1 } },
      { id: 'soak-descriptors', unit: 'open', samples: most(last), floor: most(warm), target: { ratioAtMost: 1 } },
    ]
  },
}

const chart = (samples: Sample[]): string =>
  lineChart({
    ...{ title: 'A sidecar that polls every second, with a rotation every 5 s', x: 'minutes', y: 'MB' },
    series: [{ name: 'anonymous memory', points: samples.map(({ at, anonymous }) => [at / 60_000, anonymous]) }],
  })
