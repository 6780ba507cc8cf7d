import { seededInteger, type RandomInteger } from '../support/seeded-random.ts'
import { compareBlocks, shortestBlock } from './longest-block.ts'
import type { Measured } from './measured.ts'
import { goldenReviews, reviewing } from './reviewing.ts'
import { shapesOf } from './texts.ts'

// Measures how long reviews block the event loop, and prints a line of JSON for each. It is a program of its own: the test runner
// follows every promise, which takes several times as long as the promises themselves.
const rounds = Number(process.env['BLOCK_ROUNDS'])
const seed = Number(process.env['BLOCK_SEED'])
const tries = 30
/** Reviews of each golden pod before it is measured. */
const warmUps = 30
const mostTimes = Number(process.argv[2])

const report = (measured: Measured): void => console.log(JSON.stringify(measured))
/** The apps live as long as this process. */
const lifetime = { teardown: () => {} }

const runs = goldenReviews(lifetime)
for (let round = 0; round < warmUps; round++) for (const run of runs) await run()
const measureGolden = async (): Promise<number> => {
  let largest = 0
  for (const run of runs) largest = Math.max(largest, await shortestBlock(run, tries))
  return largest
}
const comparison = await compareBlocks(measureGolden, (golden) => mostTimes * golden, tries)
for (const [name, make] of Object.entries(shapesOf)) {
  for (let round = 0; round < rounds; round++) {
    const random: RandomInteger = seededInteger(seed + round)
    // The first round is as large as can be, for what grows faster than its text shows there.
    const characters = round === 0 ? 250_000 : 1 + random(250_000)
    const time = await comparison.block(reviewing(lifetime, make(characters, random)))
    report({ name: `round ${round}: ${name} of ${characters} characters`, time })
  }
}
report({ name: 'the largest golden pod', time: comparison.base() })
