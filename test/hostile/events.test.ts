import t from 'tap'
import { ApiError, type ApiRequest } from '../../webhook/cluster/api.ts'
import { eventBudget } from '../../webhook/event-budget.ts'
import { confirmOwners, type Owner } from '../../webhook/owners.ts'

const owner = (name: string, uid = `uid-of-${name}`): Owner => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name,
  uid,
})

void t.test('hostile Events: 100,000 claims of one owner are one look-up a minute', async (t) => {
  let time = 0
  const calls: ApiRequest[] = []
  const confirm = confirmOwners(
    {
      async call(request) {
        calls.push(request)
        if (request.path.endsWith('/failing')) throw new ApiError(500, 'no')
        return { metadata: { uid: 'uid-of-web' } }
      },
    },
    { now: () => time },
  )
  let confirmed = 0
  for (let index = 0; index < 100_000; index++) if (await confirm('shop', owner('web', `uid-${index}`))) confirmed++
  t.strictSame([confirmed, calls.length], [0, 1])
  t.equal(await confirm('shop', owner('web')), true)
  await t.rejects(confirm('shop', owner('failing')))
  t.equal(await confirm('shop', owner('failing')), false, 'a failure is not asked again at once')
  t.equal(calls.length, 2)
  time = 60_000
  t.equal(await confirm('shop', owner('web')), true)
  t.equal(calls.length, 3)
})

void t.test('hostile Events: of any number of made-up owners a thousand are remembered', async (t) => {
  let calls = 0
  const confirm = confirmOwners({ call: async () => ({ metadata: { uid: `uid ${calls++}` } }) }, { now: () => 0 })
  const looked = async (index: number): Promise<boolean> => {
    const before = calls
    await confirm('shop', owner(`made-up-${index}`))
    return calls > before
  }
  for (let index = 0; index < 3000; index++) await looked(index)
  t.equal(calls, 3000)
  t.strictSame([await looked(2999), await looked(2000), await looked(1999)], [false, false, true])
})

void t.test('hostile Events: one namespace that floods leaves the others theirs', async (t) => {
  let time = 0
  const hasBudget = eventBudget({ now: () => time })
  const count = (namespace: string, tries: number) => Array.from({ length: tries }, () => hasBudget(namespace)).filter(Boolean).length // prettier-ignore
  t.equal(count('flooding', 10_000), 50)
  t.equal(count('shop', 20), 20)
  time += 10_000
  t.equal(count('flooding', 10_000), 10, 'one more each second')
  time += 3_600_000
  t.equal(count('flooding', 10_000), 50, 'and never more than the burst')
  time -= 1_000_000
  t.equal(count('flooding', 10_000), 0, 'a clock that goes back gives nothing')
})

void t.test('hostile Events: made-up namespaces neither grow the table nor refill a budget', async (t) => {
  let time = 0
  const hasBudget = eventBudget({ now: () => time })
  for (let index = 0; index < 60; index++) hasBudget('flooding')
  let passed = 0
  for (let index = 0; index < 100_000; index++) if (hasBudget(`made-up-${index}`)) passed++
  t.equal(passed, 999)
  t.equal(hasBudget('flooding'), false, 'its spent budget is not forgotten')
  time += 2_000
  t.equal(hasBudget('shop'), true, 'room again once others are full again')
})
