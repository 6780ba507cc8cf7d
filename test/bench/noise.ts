import { createHash } from 'node:crypto'
import type { Bench } from './bench.ts'

const runs = 100
const megabytes = Buffer.alloc(4 * 2 ** 20)

/**
 * How much the machine itself varies: the same computation again and again, each time over the fastest. Far from 1, other work
 * had a part in every figure of the run.
 */
export const noise: Bench = {
  ids: ['machine-noise'],
  async run() {
    const times = Array.from({ length: runs }, () => {
      const start = performance.now()
      createHash('sha256').update(megabytes).digest()
      return performance.now() - start
    })
    const fastest = Math.min(...times)
    return [{ id: 'machine-noise', unit: 'x', samples: times.map((time) => time / fastest) }]
  },
}
