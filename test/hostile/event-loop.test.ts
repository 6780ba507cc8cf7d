import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { createLogger } from '../../shared/log.ts'
import { Writable } from 'node:stream'
import { randomFrom, type Random } from '../webhook/mutations.ts'
import { annotated, appFor, cluster, reviewOf } from '../webhook/review-app.ts'
import { configurationOf, surroundings } from '../webhook/setting.ts'
import { longestBlock } from './longest-block.ts'
import { shapesOf, type Attack } from './texts.ts'

/*
 * How long one review keeps all others, and the probes, from being answered: whatever tenants write, at most ten times as long as the
 * largest pod in `golden/` does, in time of this thread. BLOCK_ROUNDS says how many inputs of random size each shape is tried with,
 * BLOCK_SEED replays a run.
 */
const rounds = Number(process.env['BLOCK_ROUNDS'] ?? 1)
const seed = Number(process.env['BLOCK_SEED'] ?? Date.now() % 2 ** 32)
const mostTimes = 10
/** The engine compiles and collects garbage in some of them: the best of so many tries counts. */
const tries = 8

const golden = join(import.meta.dirname, '../webhook/golden')
interface Case {
  pod: object
  configuration?: object
  namespace?: object
  secretProviderClasses?: Record<string, unknown>
}
const cases = readdirSync(golden)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => parse(readFileSync(join(golden, file), 'utf8')) as Case)

const nowhere = createLogger('info', new Writable({ write: (_chunk, _encoding, done) => done() }))

/** A review in a cluster that has what an attack or a golden case says. */
function reviewing(
  t: Parameters<typeof appFor>[0],
  { pod, namespace, classes = {}, limitRanges, annotations, configuration }: Attack,
) {
  const known = cluster({
    namespace: async (name) => ({ value: { name, labels: {}, annotations: {}, ...namespace }, cached: true }),
    serviceAccount: async () => ({ value: annotations === undefined ? surroundings().serviceAccount : { annotations }, cached: true }), // prettier-ignore
    secretProviderClass: async (_namespace, name) => {
      const spec = classes[name]
      return { value: spec === undefined ? 'absent' : { spec }, cached: true }
    },
    limitRanges: async () => ({ value: limitRanges ?? [], cached: true }),
  })
  const app = appFor(
    t,
    { cluster: known, log: nowhere, configuration: () => configurationOf(configuration) },
    { log: nowhere },
  )
  const payload = JSON.stringify(reviewOf(pod ?? annotated()))
  return () => app.server.inject({ method: 'POST', url: '/mutate', headers: { 'content-type': 'application/json' }, payload }) // prettier-ignore
}

/** The shortest of several longest blocks, in milliseconds; no more are tried once one is short enough. */
async function block(run: () => Promise<unknown>, enough = 0): Promise<number> {
  let best = Infinity
  for (let attempt = 0; attempt < tries && best > enough; attempt++) best = Math.min(best, await longestBlock(run))
  return best
}

void t.test('no text of a tenant stops the event loop', async (t) => {
  t.comment(`BLOCK_SEED=${seed} BLOCK_ROUNDS=${rounds}`)
  let largest = 0
  for (const { pod, configuration = {}, namespace = {}, secretProviderClasses = {} } of cases) {
    const run = reviewing(t, { pod, configuration, namespace, classes: secretProviderClasses })
    await block(run)
    largest = Math.max(largest, await block(run))
  }
  // The clock of a thread goes in steps of 4 ms.
  const bound = mostTimes * Math.max(largest, 6)
  t.comment(`the largest golden pod: ${largest.toFixed(1)} ms`)
  const slowest: [name: string, time: number][] = []
  for (const [name, make] of Object.entries(shapesOf)) {
    for (let round = 0; round < rounds; round++) {
      const random: Random = randomFrom(seed + round)
      // The first round is as large as can be, for what grows faster than its text shows there.
      const characters = round === 0 ? 250_000 : 1 + random(250_000)
      const time = await block(reviewing(t, make(characters, random)), bound)
      slowest.push([name, time])
      if (time > bound) t.fail(`BLOCK_SEED=${seed} round ${round}: ${name} of ${characters} characters takes ${time.toFixed(1)} ms`) // prettier-ignore
    }
  }
  slowest.sort(([, one], [, other]) => other - one)
  t.comment(slowest.slice(0, 5).map(([name, time]) => `${name} ${time.toFixed(1)} ms`).join(', ')) // prettier-ignore
  t.ok(slowest.length > 50)
})
