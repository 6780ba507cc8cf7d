import fc from 'fast-check'
import t from 'tap'
import { drawSplay } from '../../../sidecar/notify/splay.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const splay = 5 * 60_000

void t.test('splay: delays reach from 0 to just below the splay', async (t) => {
  t.equal(
    drawSplay(splay, () => 0),
    0,
  )
  t.equal(
    drawSplay(splay, () => 0.5),
    splay / 2,
  )
  t.ok(drawSplay(splay, () => 1 - Number.EPSILON) < splay)
  t.equal(
    drawSplay(0, () => 0.5),
    0,
  )
})

void t.test('splay: delays are whole milliseconds within the splay, whatever the random number', async (t) => {
  const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.nat(86_400_000), draw, (splay, random) => {
      const delay = drawSplay(splay, () => random)
      return Number.isInteger(delay) && delay >= 0 && (delay < splay || splay === 0)
    }),
  )
  t.pass()
})

void t.test('splay: 20,000 replicas fill twenty bins evenly', async (t) => {
  const random = seededRandom(20_471)
  const [draws, bins] = [20_000, 20]
  const counts = new Array<number>(bins).fill(0)
  for (let i = 0; i < draws; i++) {
    const bin = Math.floor((drawSplay(splay, random) / splay) * bins)
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  const expected = draws / bins
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  // 43.8 is the 99.9th percentile for 19 degrees of freedom.
  t.ok(chiSquare < 43.8, `chi-square ${chiSquare}`)
})

void t.test('splay: replicas overlap as often as the formulas of docs/signals.md say', async (t) => {
  const random = seededRandom(7)
  const rounds = 20_000
  const share = 0.1
  for (const replicas of [2, 3, 5]) {
    const count = { some: 0, all: 0 }
    for (let round = 0; round < rounds; round++) {
      const delays = Array.from({ length: replicas }, () => drawSplay(splay, random)).sort((a, b) => a - b)
      const gaps = delays.slice(1).map((delay, i) => delay - (delays[i] ?? 0))
      if (gaps.some((gap) => gap < share * splay)) count.some++
      if ((delays.at(-1) ?? 0) - (delays[0] ?? 0) < share * splay) count.all++
    }
    const some = 1 - (1 - (replicas - 1) * share) ** replicas
    const all = replicas * share ** (replicas - 1) - (replicas - 1) * share ** replicas
    t.ok(Math.abs(count.some / rounds - some) < 0.01, `${replicas}: some two ${count.some / rounds}, expected ${some}`)
    t.ok(Math.abs(count.all / rounds - all) < 0.01, `${replicas}: all ${count.all / rounds}, expected ${all}`)
  }
})
