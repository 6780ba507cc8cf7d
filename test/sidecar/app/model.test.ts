import fc from 'fast-check'
import t from 'tap'
import type { Settings } from '../../../shared/settings.ts'
import type { FailureKind } from '../../../sidecar/vault/vault.ts'
import { chance } from '../support/chance.ts'
import { World, type Crash } from '../support/world.ts'

const second = 1_000
const minute = 60 * second

/** One thing that happens to the world. */
class Step implements fc.AsyncCommand<object, World> {
  readonly #what: string
  readonly #run: (world: World) => Promise<void> | void

  constructor(what: string, run: (world: World) => Promise<void> | void) {
    this.#what = what
    this.#run = run
  }

  check = (): boolean => true

  async run(_model: object, world: World): Promise<void> {
    told++
    await this.#run(world)
    await world.pod.idle()
    world.check()
  }

  toString = (): string => this.#what
}

const kinds: FailureKind[] = ['throttled', 'timeout', 'network', 'unavailable', 'malformed', 'unauthorized', 'sign-in', 'forbidden', 'disabled', 'not-found', 'gone'] // prettier-ignore

const vault = fc.nat({ max: 1 })
const some = fc.uniqueArray(fc.nat({ max: 3 }), { minLength: 1, maxLength: 4 })
const pick = <T>(items: readonly T[], index: number): T => items[index % items.length] as T

const steps = [
  fc.constantFrom(second, 5 * second, 30 * second, 130 * second, 5 * minute, 11 * minute).map((time) => new Step(`${time / second} s pass`, ({ pod }) => pod.advance(time))), // prettier-ignore
  fc.tuple(vault, some).map(([v, which]) => new Step(`vault ${v} rotates ${which.join()}`, (world) => {
    const twin = pick(world.twins, v)
    world.edit(twin, which.map((index) => pick(world.names(twin), index)))
  })), // prettier-ignore
  fc.tuple(vault, some, fc.integer({ min: 1, max: 12 })).map(([v, which, request]) => new Step(`vault ${v} rotates ${which.join()} at request ${request} from now`, (world) => {
    const twin = pick(world.twins, v)
    let left = request
    twin.before = () => {
      if (--left === 0) world.edit(twin, which.map((index) => pick(world.names(twin), index)))
    }
  })), // prettier-ignore
  fc.tuple(vault, fc.constantFrom(...kinds), fc.nat({ max: 4 }), fc.integer({ min: 1, max: 30 })).map(([v, kind, which, times]) => new Step(`vault ${v} answers ${times} requests${which === 4 ? '' : ` for ${which}`} with ${kind}`, (world) => {
    const twin = pick(world.twins, v)
    const name = which === 4 ? undefined : pick(world.names(twin), which)
    let left = times
    twin.fault = (asked) => (name !== undefined && asked.name !== name) || left-- <= 0 ? undefined : { kind }
  })), // prettier-ignore
  fc.tuple(vault, fc.integer({ min: 1, max: 6 })).map(([v, times]) => new Step(`vault ${v} hangs for ${times} requests`, (world) => {
    let left = times
    pick(world.twins, v).fault = () => (left-- > 0 ? { hang: 10 * second } : undefined)
  })), // prettier-ignore
  vault.map((v) => new Step(`vault ${v} is well`, (world) => void (pick(world.twins, v).fault = () => undefined))),
  fc.tuple(vault, fc.nat({ max: 3 })).map(([v, which]) => new Step(`vault ${v} loses ${which}`, (world) => {
    const twin = pick(world.twins, v)
    twin.delete(pick(world.names(twin), which))
    world.note(twin)
  })), // prettier-ignore
  fc.tuple(vault, fc.nat({ max: 3 })).map(([v, which]) => new Step(`vault ${v} recovers ${which}`, (world) => {
    const twin = pick(world.twins, v)
    twin.recover(pick(world.names(twin), which))
    world.note(twin)
  })), // prettier-ignore
  fc.tuple(vault, fc.nat({ max: 3 }), fc.boolean()).map(([v, which, enabled]) => new Step(`vault ${v} ${enabled ? 'enables' : 'disables'} ${which}`, (world) => {
    const twin = pick(world.twins, v)
    twin.update(pick(world.names(twin), which), { enabled })
  })), // prettier-ignore
  fc.constant(new Step('the sidecar is restarted', (world) => world.restart())),
  fc.constantFrom<Crash>('while it writes', 'after the switch').map((crash) => new Step(`the sidecar will be killed ${crash}`, (world) => world.crashAtNextSwitch(crash))), // prettier-ignore
  fc.boolean().map((listens) => new Step(`the app ${listens ? 'listens' : 'is deaf'}`, ({ pod }) => void (pod.appListens = listens))), // prettier-ignore
  fc.nat().map((refresh) => new Step('somebody asks for a poll', ({ pod }) => void (pod.annotations = { ...pod.annotations, refresh: `${refresh}` }))), // prettier-ignore
  fc.boolean().map((suspend) => new Step(`polling is ${suspend ? 'suspended' : 'resumed'}`, ({ pod }) => void (pod.annotations = { ...pod.annotations, suspend: `${suspend}` }))), // prettier-ignore
  fc.integer({ min: -100, max: 100 }).map((hours) => new Step(`the clock jumps by ${hours} h`, ({ pod }) => void (pod.clock.offset += hours * 60 * minute))), // prettier-ignore
]
const refusal = vault.map((v) => new Step(`vault ${v} allows no lists`, (world) => world.refuseLists(pick(world.twins, v)))) // prettier-ignore

const objects = ['a', 'b', 'c', 'd', 'other:e', 'other:f']

/** MODEL_RUNS=20 makes it tell twenty times as many stories, MODEL_SEED those of an earlier run again. */
const runs = Number(process.env['MODEL_RUNS'] ?? 1)
const seed = Number(process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`MODEL_SEED=${seed}`)
let told = 0
t.teardown(() => t.comment(`${told} steps`))

type Commands = fc.Arbitrary<Iterable<fc.AsyncCommand<object, World>>>

const story = (commands: Commands, overrides: Partial<Settings> = {}, numRuns = 50) => {
  const tell = async (run: Iterable<fc.AsyncCommand<object, World>>, seed: number): Promise<void> => {
    const world = new World(objects, overrides)
    world.pod.random = chance(seed)
    try {
      await world.begin()
      await fc.asyncModelRun(() => ({ model: {}, real: world }), run)
      await world.converge()
    } finally {
      world.pod.stop()
      await world.pod.idle()
      world.pod.remove()
    }
  }
  return fc.assert(fc.asyncProperty(commands, fc.nat(), tell), { seed, numRuns: numRuns * runs })
}

const within = { maxCommands: 60, size: 'max' as const }

void t.test(
  'whatever happens: one complete set of values that belong together, nothing lost, every change told',
  { timeout: 600_000 },
  async (t) => {
    await story(fc.commands(steps, within))
    t.pass()
  },
)

void t.test('with files that go with their objects', { timeout: 600_000 }, async (t) => {
  await story(fc.commands(steps, within), { onDelete: 'delete' }, 25)
  t.pass()
})

void t.test('without the right to list', { timeout: 600_000 }, async (t) => {
  await story(fc.commands([...steps, refusal], within), {}, 25)
  t.pass()
})
