import fc from 'fast-check'
import t from 'tap'
import type { Settings } from '../../../shared/settings/codec.ts'
import { objectOf } from '../../support/settings.ts'
import { SidecarModel } from '../../support/sidecar-model.ts'
import { refusal, scenario, steps, within } from '../../support/sidecar-scenario.ts'

const objects = ['a', 'b', 'c', 'd', 'other:e', 'other:f']

void t.test(
  'model: at any moment one complete, consistent set, nothing lost, every change notified',
  { timeout: 600_000 },
  async (t) => {
    await scenario(fc.commands(steps, within), () => new SidecarModel(objects))
    t.pass()
  },
)

void t.test('model: any sequence of events, with on-delete: delete', { timeout: 600_000 }, async (t) => {
  await scenario(fc.commands(steps, within), () => new SidecarModel(objects, { onDelete: 'delete' }), 25)
  t.pass()
})

void t.test('model: any sequence of events, without the permission to list', { timeout: 600_000 }, async (t) => {
  await scenario(fc.commands([...steps, refusal], within), () => new SidecarModel(objects), 25)
  t.pass()
})

void t.test(
  'model: any sequence of events, with properties of secrets and a bundle',
  { timeout: 600_000 },
  async (t) => {
    const overrides: Partial<Settings> = {
      objects: objects.map((object, index) => objectOf(object, index % 2 === 0 ? { property: 'field' } : {})),
      bundles: { 'some.json': { format: 'json', only: ['a', 'b', 'e'], names: { a: 'first' } } },
    }
    await scenario(fc.commands(steps, within), () => new SidecarModel(objects, overrides), 15)
    t.pass()
  },
)

void t.test('model: with environment variables, and values that none can have', { timeout: 600_000 }, async (t) => {
  const overrides: Partial<Settings> = {
    templates: { url: '{{ secrets.a }} {{ secrets.c }} {{ secrets.e }}' },
    variables: { A: 'a', AGAIN: 'a', B: 'b', E: 'e', URL: 'url' },
  }
  await scenario(fc.commands(steps, within), () => new SidecarModel(objects, overrides), 15)
  t.pass()
})
