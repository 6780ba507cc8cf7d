import { renderingTimes } from '../hostile/rendering-input.ts'
import type { Bench } from './bench.ts'

const runs = 3

/**
 * How long rendering keeps the sidecar from answering a probe: the longest block of its event loop by any input of
 * `test/hostile/rendering-times.ts`, PKCS#12 containers and sets of 300 objects among them, and as its floor by the largest secrets of a
 * vault in every format, each the shortest of several tries.
 */
export const sidecarBlock: Bench = {
  ids: ['sidecar-block'],
  async run({ folder }) {
    const samples: number[] = []
    const floor: number[] = []
    for (let run = 0; run < runs; run++) {
      const others = await renderingTimes({ testdir: () => folder() }, 1)
      const calm = others.pop()
      floor.push(calm?.time ?? NaN)
      samples.push(Math.max(...others.map(({ time }) => time)))
    }
    return [{ id: 'sidecar-block', unit: 'ms', samples, floor, target: { atMost: 100 } }]
  },
}
