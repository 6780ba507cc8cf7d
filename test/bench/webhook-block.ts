import { shortestBlock } from '../hostile/longest-block.ts'
import { goldenReviews, reviewing } from '../hostile/reviewing.ts'
import { shapesOf } from '../hostile/texts.ts'
import { seededInteger } from '../support/seeded-random.ts'
import type { Bench } from './bench.ts'

const runs = 3
const tries = 5
const warmUps = 30
const characters = 250_000

/**
 * How long one review keeps all others from being answered: the longest block of the event loop by any shape of
 * `test/hostile/texts.ts`, and as its floor by the largest golden pod, each the shortest of several tries, in this process.
 */
export const webhookBlock: Bench = {
  ids: ['webhook-block'],
  async run() {
    const closing: (() => unknown)[] = []
    const t = { teardown: (close: () => unknown) => void closing.push(close) }
    const golden = goldenReviews(t)
    for (let round = 0; round < warmUps; round++) for (const review of golden) await review()
    const shapes = Object.values(shapesOf).map((make) => reviewing(t, make(characters, seededInteger(1))))
    const samples: number[] = []
    const floor: number[] = []
    for (let run = 0; run < runs; run++) {
      floor.push(await worst(golden))
      samples.push(await worst(shapes))
    }
    for (const close of closing) await close()
    return [{ id: 'webhook-block', unit: 'ms', samples, floor, target: { atMost: 50 } }]
  },
}

async function worst(reviews: readonly (() => Promise<unknown>)[]): Promise<number> {
  let longest = 0
  for (const review of reviews) longest = Math.max(longest, await shortestBlock(review, tries))
  return longest
}
