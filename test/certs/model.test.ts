import fc from 'fast-check'
import t from 'tap'
import { broken, disagreement, endAll } from './model-rules.ts'
import { settleDown, World } from './model.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
/** Short, so that a few hundred moves see several rotations. */
const lifetimes = { authority: 18 * MINUTE, leaf: 6 * MINUTE, settle: MINUTE }
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env['FC_RUNS'] ?? 60)

interface Command {
  toString(): string
  run(world: World): void | Promise<void>
}

const command = (name: string, run: Command['run']): Command => ({ toString: () => name, run })

const number = fc.nat({ max: 1000 })
const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % list.length]

/** One thing that was waiting happens, or the connection under it breaks, before or after the API server acted. */
const progress = fc.oneof(
  { weight: 8, arbitrary: number.map((n) => command(`go ${n}`, (world) => take(world, n)?.go())) },
  { weight: 1, arbitrary: number.map((n) => command(`lose ${n}`, (world) => take(world, n)?.lose())) },
  { weight: 1, arbitrary: number.map((n) => command(`stall ${n}`, (world) => stall(world, n))) },
  { weight: 1, arbitrary: number.map((n) => command(`resume ${n}`, (world) => resume(world, n))) },
  { weight: 2, arbitrary: fc.nat({ max: 50 }).map((n) => command(`go ${n} times`, (world) => goOn(world, n))) },
)

const someTime = fc
  .oneof(
    { weight: 6, arbitrary: fc.constantFrom(1, SECOND, 10 * SECOND, 30 * SECOND, MINUTE) },
    { weight: 1, arbitrary: fc.constantFrom(2 * MINUTE, 5 * MINUTE, 13 * MINUTE, 40 * MINUTE) },
  )
  .map((milliseconds) => command(`${milliseconds} ms later`, (world) => world.advance(milliseconds)))

const restart = number.map((n) =>
  command(`restart ${n}`, (world) => {
    world.kill(pick(world.replicas, n)!)
    world.start()
  }),
)

const wipeBundle = fc
  .tuple(number, number)
  .map(([n, webhook]) => command(`wipe ${n}.${webhook}`, (world) => world.setBundle(n, webhook, '')))
const foreignBundle = number.map((n) =>
  command(`foreign ${n}`, (world) => world.setBundle(n, n, world.foreignAuthority())),
)
const otherSegment = fc
  .tuple(number, number, fc.boolean())
  .map(([n, webhook, isWiped]) =>
    command(`${isWiped ? 'wipe' : 'change'} the segment of ${n}.${webhook}`, (world) =>
      world.setSegment(n, webhook, isWiped ? undefined : world.newSegment()),
    ),
  )
const recreate = number.map((n) => command(`recreate ${n}`, (world) => world.recreateConfiguration(n)))

const damageSecret = fc
  .constantFrom('everything', 'ca.crt', 'ca.key', 'tls.crt', 'tls.key', 'rotation.json', 'path-segments.json')
  .map((what) =>
    command(`damage ${what}`, (world) => {
      if (!world.secret) return
      world.setSecret(what === 'everything' ? {} : { ...world.secret.data, [what]: 'damaged' })
    }),
  )

function stall({ waiting, stalled }: World, n: number): void {
  stalled.push(...waiting.splice(n % Math.max(1, waiting.length), 1))
}

function resume({ waiting, stalled }: World, n: number): void {
  waiting.push(...stalled.splice(n % Math.max(1, stalled.length), 1))
}

async function goOn(world: World, times: number): Promise<void> {
  for (let left = times; left > 0 && world.waiting.length > 0; left--) {
    take(world, 0)?.go()
    await settleDown()
  }
}

function take({ waiting }: World, n: number) {
  return waiting.splice(n % Math.max(1, waiting.length), 1)[0]
}

async function holdsThroughout(
  replicas: number,
  commands: readonly Command[],
  rules: { lag: boolean },
): Promise<World> {
  const world = new World(replicas, lifetimes)
  for (const command of commands) {
    await command.run(world)
    await settleDown()
    const problem = broken(world, rules)
    if (problem) throw new Error(problem)
  }
  return world
}

/** Left alone, all replicas end up ready, with one certificate of the newest authority, and with no authority too many. */
async function converges(world: World): Promise<void> {
  while (world.stalled.length > 0) resume(world, 0)
  await world.pass(10 * MINUTE)
  const problem = disagreement(world)
  if (problem) throw new Error(problem)
  await world.pass(lifetimes.leaf + 2 * lifetimes.settle, SECOND)
  const authorities = new Set(
    JSON.parse(`[${world.secret!.data['ca.crt']!.trim().replaceAll('\n', ',')}]`) as unknown[],
  )
  if (authorities.size > 2) throw new Error(`still ${authorities.size} authorities`)
  const segments = JSON.parse(world.secret!.data['path-segments.json']!) as string[]
  if (segments.length > 2) throw new Error(`still ${segments.length} path segments`)
}

function property(name: string, disturbances: fc.Arbitrary<Command>, rules: { lag: boolean }) {
  void t.test(name, async (t) => {
    t.comment(`FC_SEED=${seed}`)
    const commands = fc.array(
      fc.oneof(
        { weight: 12, arbitrary: progress },
        { weight: 3, arbitrary: someTime },
        { weight: 1, arbitrary: disturbances },
      ),
      { minLength: 20, maxLength: 400, size: 'max' },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 5 }), commands, async (replicas, commands) => {
        const world = await holdsThroughout(replicas, commands, rules)
        await converges(world)
        await endAll(world)
      }),
      { seed, numRuns, interruptAfterTimeLimit: 20_000, endOnFailure: process.env['FC_FAST'] !== undefined },
    )
  })
}

property(
  'restarts and lost connections: not even a caller that is behind by the settle time rejects a certificate',
  restart,
  {
    lag: true,
  },
)
property(
  'wiped caBundles and paths, and configurations made anew',
  fc.oneof(restart, wipeBundle, foreignBundle, otherSegment, recreate),
  {
    lag: false,
  },
)
property('a damaged Secret', fc.oneof(restart, damageSecret), { lag: false })
property('everything at once', fc.oneof(restart, wipeBundle, foreignBundle, otherSegment, recreate, damageSecret), {
  lag: false,
})
