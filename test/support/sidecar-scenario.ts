import fc from 'fast-check'
import t from 'tap'
import type { FailureKind } from '../../shared/vault/store.ts'
import { seededRandom } from './seeded-random.ts'
import type { SidecarModel, Crash } from './sidecar-model.ts'

export const second = 1_000
export const minute = 60 * second

/** One thing that happens to the model. */
export class Step implements fc.AsyncCommand<object, SidecarModel> {
  readonly #what: string
  readonly #run: (model: SidecarModel) => Promise<void> | void

  constructor(what: string, run: (model: SidecarModel) => Promise<void> | void) {
    this.#what = what
    this.#run = run
  }

  check = (): boolean => true

  async run(_model: object, model: SidecarModel): Promise<void> {
    told++
    await this.#run(model)
    await model.pod.idle()
    model.check()
  }

  toString = (): string => this.#what
}

const kinds: FailureKind[] = [
  'throttled',
  'timeout',
  'network',
  'unavailable',
  'malformed',
  'unauthorized',
  'sign-in',
  'forbidden',
  'disabled',
  'not-found',
  'gone',
]

const vault = fc.nat({ max: 1 })
const some = fc.uniqueArray(fc.nat({ max: 3 }), { minLength: 1, maxLength: 4 })
export const pick = <T>(items: readonly T[], index: number): T => items[index % items.length] as T

/** What may happen to any pod. */
export const steps = [
  fc
    .constantFrom(second, 5 * second, 30 * second, 130 * second, 5 * minute, 11 * minute)
    .map((time) => new Step(`${time / second} s pass`, ({ pod }) => pod.advance(time))),
  fc.tuple(vault, some).map(
    ([v, which]) =>
      new Step(`vault ${v} rotates ${which.join()}`, (model) => {
        const vault = pick(model.vaults, v)
        model.edit(
          vault,
          which.map((index) => pick(model.names(vault), index)),
        )
      }),
  ),
  fc.tuple(vault, some, fc.integer({ min: 1, max: 12 })).map(
    ([v, which, request]) =>
      new Step(`vault ${v} rotates ${which.join()} at request ${request} from now`, (model) => {
        const vault = pick(model.vaults, v)
        let left = request
        vault.before = () => {
          if (--left === 0)
            model.edit(
              vault,
              which.map((index) => pick(model.names(vault), index)),
            )
        }
      }),
  ),
  fc.tuple(vault, fc.constantFrom(...kinds), fc.nat({ max: 4 }), fc.integer({ min: 1, max: 30 })).map(
    ([v, kind, which, times]) =>
      new Step(`vault ${v} answers ${times} requests${which === 4 ? '' : ` for ${which}`} with ${kind}`, (model) => {
        const vault = pick(model.vaults, v)
        const name = which === 4 ? undefined : pick(model.names(vault), which)
        let left = times
        vault.fault = (asked) => ((name !== undefined && asked.name !== name) || left-- <= 0 ? undefined : { kind })
      }),
  ),
  fc.tuple(vault, fc.integer({ min: 1, max: 6 })).map(
    ([v, times]) =>
      new Step(`vault ${v} hangs for ${times} requests`, (model) => {
        let left = times
        pick(model.vaults, v).fault = () => (left-- > 0 ? { hang: 10 * second } : undefined)
      }),
  ),
  vault.map((v) => new Step(`vault ${v} is well`, (model) => void (pick(model.vaults, v).fault = () => undefined))),
  fc.tuple(vault, fc.nat({ max: 3 })).map(
    ([v, which]) =>
      new Step(`vault ${v} loses ${which}`, (model) => {
        const vault = pick(model.vaults, v)
        vault.delete(pick(model.names(vault), which))
        model.note(vault)
      }),
  ),
  fc.tuple(vault, fc.nat({ max: 3 })).map(
    ([v, which]) =>
      new Step(`vault ${v} recovers ${which}`, (model) => {
        const vault = pick(model.vaults, v)
        vault.recover(pick(model.names(vault), which))
        model.note(vault)
      }),
  ),
  fc.tuple(vault, fc.nat({ max: 3 }), fc.boolean()).map(
    ([v, which, enabled]) =>
      new Step(`vault ${v} ${enabled ? 'enables' : 'disables'} ${which}`, (model) => {
        const vault = pick(model.vaults, v)
        vault.update(pick(model.names(vault), which), { enabled })
      }),
  ),
  fc.constant(new Step('the sidecar is restarted', (model) => model.restart())),
  fc
    .constantFrom<Crash>('while it writes', 'after the switch')
    .map((crash) => new Step(`the sidecar will be killed ${crash}`, (model) => model.crashAtNextSwitch(crash))),
  fc
    .boolean()
    .map(
      (listens) => new Step(`the app ${listens ? 'listens' : 'is deaf'}`, ({ pod }) => void (pod.appListens = listens)),
    ),
  fc
    .nat()
    .map(
      (refresh) =>
        new Step(
          'somebody asks for a poll',
          ({ pod }) => void (pod.annotations = { ...pod.annotations, refresh: `${refresh}` }),
        ),
    ),
  fc
    .boolean()
    .map(
      (suspend) =>
        new Step(
          `polling is ${suspend ? 'suspended' : 'resumed'}`,
          ({ pod }) => void (pod.annotations = { ...pod.annotations, suspend: `${suspend}` }),
        ),
    ),
  fc
    .integer({ min: -100, max: 100 })
    .map(
      (hours) => new Step(`the clock jumps by ${hours} h`, ({ pod }) => void (pod.clock.offset += hours * 60 * minute)),
    ),
]
export const refusal = vault.map(
  (v) => new Step(`vault ${v} allows no lists`, (model) => model.refuseLists(pick(model.vaults, v))),
)

/** MODEL_RUNS=20 makes it run twenty times as many scenarios, MODEL_SEED those of an earlier run again. */
const runs = Number(process.env['MODEL_RUNS'] ?? 1)
const seed = Number(process.env['MODEL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`MODEL_SEED=${seed}`)
let told = 0
t.teardown(() => t.comment(`${told} steps`))

type Commands = fc.Arbitrary<Iterable<fc.AsyncCommand<object, SidecarModel>>>

/** Runs sequences of steps on models of their own, each of which converges in the end. */
export const scenario = (commands: Commands, create: () => SidecarModel, numRuns = 50) => {
  const tell = async (run: Iterable<fc.AsyncCommand<object, SidecarModel>>, seed: number): Promise<void> => {
    const model = create()
    model.pod.random = seededRandom(seed)
    try {
      await model.begin()
      await fc.asyncModelRun(() => ({ model: {}, real: model }), run)
      await model.converge()
    } finally {
      model.pod.stop()
      await model.pod.idle()
      model.pod.remove()
    }
  }
  return fc.assert(fc.asyncProperty(commands, fc.nat(), tell), { seed, numRuns: numRuns * runs })
}

export const within = { maxCommands: 60, size: 'max' as const }
