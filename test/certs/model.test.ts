import fc from 'fast-check'
import t from 'tap'
import { broken, disagreement, endAll } from './model-rules.ts'
import { settleDown, CertificateModel } from './model.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
/** Short, so that a few hundred moves see several rotations. */
const lifetimes = { authorityMs: 18 * MINUTE, leafMs: 6 * MINUTE, propagationMs: MINUTE }
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const numRuns = Number(process.env['FC_RUNS'] ?? 60)

interface Command {
  toString(): string
  run(model: CertificateModel): void | Promise<void>
}

const command = (name: string, run: Command['run']): Command => ({ toString: () => name, run })

const number = fc.nat({ max: 1000 })
const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % list.length]

/** One thing that was waiting happens, or the connection under it breaks, before or after the API server acted. */
const progress = fc.oneof(
  { weight: 8, arbitrary: number.map((n) => command(`go ${n}`, (model) => take(model, n)?.go())) },
  { weight: 1, arbitrary: number.map((n) => command(`lose ${n}`, (model) => take(model, n)?.lose())) },
  { weight: 1, arbitrary: number.map((n) => command(`stall ${n}`, (model) => stall(model, n))) },
  { weight: 1, arbitrary: number.map((n) => command(`resume ${n}`, (model) => resume(model, n))) },
  { weight: 2, arbitrary: fc.nat({ max: 50 }).map((n) => command(`go ${n} times`, (model) => goOn(model, n))) },
)

const someTime = fc
  .oneof(
    { weight: 6, arbitrary: fc.constantFrom(1, SECOND, 10 * SECOND, 30 * SECOND, MINUTE) },
    { weight: 1, arbitrary: fc.constantFrom(2 * MINUTE, 5 * MINUTE, 13 * MINUTE, 40 * MINUTE) },
  )
  .map((milliseconds) => command(`${milliseconds} ms later`, (model) => model.advance(milliseconds)))

const restart = number.map((n) =>
  command(`restart ${n}`, (model) => {
    model.kill(pick(model.replicas, n)!)
    model.start()
  }),
)

const wipeBundle = fc
  .tuple(number, number)
  .map(([n, webhook]) => command(`wipe ${n}.${webhook}`, (model) => model.setBundle(n, webhook, '')))
const foreignBundle = number.map((n) =>
  command(`foreign ${n}`, (model) => model.setBundle(n, n, model.foreignAuthority())),
)
const otherSegment = fc
  .tuple(number, number, fc.boolean())
  .map(([n, webhook, isWiped]) =>
    command(`${isWiped ? 'wipe' : 'change'} the segment of ${n}.${webhook}`, (model) =>
      model.setSegment(n, webhook, isWiped ? undefined : model.newSegment()),
    ),
  )
const recreate = number.map((n) => command(`recreate ${n}`, (model) => model.recreateConfiguration(n)))

const damageSecret = fc
  .constantFrom('everything', 'ca.crt', 'ca.key', 'tls.crt', 'tls.key', 'rotation.json', 'path-segments.json')
  .map((what) =>
    command(`damage ${what}`, (model) => {
      if (!model.secret) return
      model.setSecret(what === 'everything' ? {} : { ...model.secret.data, [what]: 'damaged' })
    }),
  )

function stall({ waiting, stalled }: CertificateModel, n: number): void {
  stalled.push(...waiting.splice(n % Math.max(1, waiting.length), 1))
}

function resume({ waiting, stalled }: CertificateModel, n: number): void {
  waiting.push(...stalled.splice(n % Math.max(1, stalled.length), 1))
}

async function goOn(model: CertificateModel, times: number): Promise<void> {
  for (let left = times; left > 0 && model.waiting.length > 0; left--) {
    take(model, 0)?.go()
    await settleDown()
  }
}

function take({ waiting }: CertificateModel, n: number) {
  return waiting.splice(n % Math.max(1, waiting.length), 1)[0]
}

async function holdsThroughout(
  replicas: number,
  commands: readonly Command[],
  rules: { lag: boolean },
): Promise<CertificateModel> {
  const model = new CertificateModel(replicas, lifetimes)
  for (const command of commands) {
    await command.run(model)
    await settleDown()
    const problem = broken(model, rules)
    if (problem) throw new Error(problem)
  }
  return model
}

/** Left alone, all replicas end up ready, with one certificate of the newest authority, and with no authority too many. */
async function converges(model: CertificateModel): Promise<void> {
  while (model.stalled.length > 0) resume(model, 0)
  await model.pass(10 * MINUTE)
  const problem = disagreement(model)
  if (problem) throw new Error(problem)
  await model.pass(lifetimes.leafMs + 2 * lifetimes.propagationMs, SECOND)
  const authorities = new Set(
    JSON.parse(`[${model.secret!.data['ca.crt']!.trim().replaceAll('\n', ',')}]`) as unknown[],
  )
  if (authorities.size > 2) throw new Error(`still ${authorities.size} authorities`)
  const segments = JSON.parse(model.secret!.data['path-segments.json']!) as string[]
  if (segments.length > 2) throw new Error(`still ${segments.length} path segments`)
}

function property(name: string, disturbances: fc.Arbitrary<Command>, rules: { lag: boolean }) {
  void t.test(`certificate model: ${name}`, async (t) => {
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
        const model = await holdsThroughout(replicas, commands, rules)
        await converges(model)
        await endAll(model)
      }),
      { seed, numRuns, interruptAfterTimeLimit: 20_000, endOnFailure: process.env['FC_FAST'] !== undefined },
    )
  })
}

property(
  'restarts and lost connections: not even a caller that is behind by the propagation time rejects a certificate',
  restart,
  {
    lag: true,
  },
)
property(
  'wiped caBundles and paths, and configurations created again',
  fc.oneof(restart, wipeBundle, foreignBundle, otherSegment, recreate),
  {
    lag: false,
  },
)
property('a damaged Secret', fc.oneof(restart, damageSecret), { lag: false })
property('everything at once', fc.oneof(restart, wipeBundle, foreignBundle, otherSegment, recreate, damageSecret), {
  lag: false,
})
