import fc from 'fast-check'
import t from 'tap'
import { FindModel } from '../../support/find-model.ts'
import type { SidecarModel } from '../../support/sidecar-model.ts'
import { pick, refusal, scenario, Step, steps, within } from '../../support/sidecar-scenario.ts'

const named = ['a', 'b', 'other:e']
const pool = ['p1', 'p2', 'p3', 'p4']

const which = fc.nat({ max: pool.length - 1 })
const step = (what: string, index: number, run: (model: FindModel, name: string) => void) =>
  new Step(`${what} ${pool[index]}`, (model: SidecarModel) => run(model as FindModel, pick(pool, index)))

const findSteps = [
  which.map((index) => step('tag', index, (model, name) => model.tag(name, true))),
  which.map((index) => step('untag', index, (model, name) => model.tag(name, false))),
  which.map((index) =>
    step('retag within a moment', index, (model, name) => {
      model.tag(name, false)
      model.tag(name, true)
    }),
  ),
  which.map((index) => step('rotate', index, (model, name) => model.rotateFound(name))),
  which.map((index) => step('lose', index, (model, name) => model.lose(name))),
  which.map((index) => step('recover', index, ({ pod }, name) => pod.vault.recover(name))),
  fc
    .tuple(which, fc.boolean())
    .map(([index, enabled]) =>
      step(enabled ? 'enable' : 'disable', index, ({ pod }, name) => pod.vault.update(name, { enabled })),
    ),
  fc.integer({ min: 1, max: 8 }).map(
    (request) =>
      new Step(`everything is tagged at request ${request} from now`, (model) => {
        let left = request
        model.pod.vault.before = () => {
          if (--left === 0) for (const name of pool) (model as FindModel).tag(name, true)
        }
      }),
  ),
]

void t.test(
  'model: what finds select comes and goes with its tag, and with nothing else',
  { timeout: 600_000 },
  async (t) => {
    await scenario(fc.commands([...steps, ...findSteps], within), () => new FindModel(named, pool, 4), 40)
    t.pass()
  },
)

void t.test('model: finds whose limit is passed at times', { timeout: 600_000 }, async (t) => {
  const create = () => new FindModel(named, pool, 2, { onDelete: 'delete' })
  await scenario(fc.commands([...steps, ...findSteps], within), create, 40)
  t.pass()
})

void t.test('model: finds of a pod that may list at times', { timeout: 600_000 }, async (t) => {
  const create = () => new FindModel(['a', 'other:e'], pool, 3)
  await scenario(fc.commands([...steps, ...findSteps, refusal], within), create, 20)
  t.pass()
})
