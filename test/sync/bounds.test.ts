import t from 'tap'
import { SizeBudget } from '../../sync/size-budget.ts'
import { opaque, secretObject, specOf } from './fixture.ts'
import { classPath, startShop } from './shop.ts'

void t.test('sync size: a namespace does not take the memory of others', async (t) => {
  const budget = new SizeBudget({ total: 250, perNamespace: 100 })
  t.equal(budget.claim('hostile', 'a', 60), undefined)
  t.match(budget.claim('hostile', 'b', 60), /classes of the namespace/)
  t.equal(budget.claim('hostile', 'a', 90), undefined, 'a class counts once')
  t.equal(budget.claim('shop', 'a', 100), undefined)
  t.match(budget.claim('team', 'a', 100), /all classes/)
  budget.release('shop', 'a')
  t.equal(budget.claim('team', 'a', 100), undefined)
})

void t.test('sync size: a class that is too much is refused, and one that shrinks or ends makes room', async (t) => {
  const db = (vault: string) => specOf([secretObject('password')], [opaque('db', { password: 'password' })], vault)
  const { poll, vault, api, restart, budget } = await startShop(t, db)
  vault.setSecret('password', 'p')
  const kept = api.objects.get(classPath)!
  const spec = kept['spec'] as { parameters: object }
  api.put(classPath, { ...kept, spec: { ...spec, parameters: { ...spec.parameters, more: 'x'.repeat(210_000) } } })
  t.match(await poll(), {
    result: 'refused',
    messages: [{ reason: 'SyncRefused', message: /classes of the namespace/ }],
  })
  api.put(classPath, kept)
  t.match(await poll(), { result: 'success', writes: [{ outcome: 'created' }] })
  t.match(budget.claim('shop', 'other', 199_900), /classes of the namespace/)
  restart()
  t.equal(budget.claim('shop', 'other', 199_900), undefined)
})

void t.test(
  'sync memory: no value of a history stays after a poll, so all are read again when one changes',
  async (t) => {
    const spec = (vault: string) =>
      specOf(
        [secretObject('password', 'objectVersionHistory: 3')],
        [opaque('db', { now: 'password/0', before: 'password/1' })],
        vault,
      )
    const { poll, vault, values, fixture, pass } = await startShop(t, spec)
    const { journal } = fixture.emulator
    for (const value of ['one', 'two', 'three']) {
      vault.setSecret('password', value)
      pass(1000)
    }
    t.match(await poll(), { result: 'success' })
    t.strictSame(values('db'), { now: 'three', before: 'two' })
    pass(60_000)
    journal.reset()
    await poll()
    t.equal(journal.counts('shop-kv')['secrets.get'] ?? 0, 0, 'nothing is read if nothing changed')
    vault.setSecret('password', 'four')
    await poll()
    t.strictSame(values('db'), { now: 'four', before: 'three' })
    t.equal(journal.counts('shop-kv')['secrets.get'], 3)
  },
)
