import t from 'tap'
import { ApiError, type ApiRequest } from '../../shared/kubernetes/api.ts'
import { createEventBudget } from '../../shared/kubernetes/event-budget.ts'
import { createOwnerCheck, type Owner } from '../../webhook/report/owners.ts'

const owner = (name: string, uid = `uid-of-${name}`): Owner => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name,
  uid,
})

void t.test('hostile Events: 100,000 claims to one owner cause one look-up a minute', async (t) => {
  let time = 0
  const calls: ApiRequest[] = []
  const confirm = createOwnerCheck(
    {
      async call(request) {
        calls.push(request)
        if (request.path.endsWith('/failing')) throw new ApiError(500, 'no')
        return { metadata: { uid: 'uid-of-web' } }
      },
    },
    { elapsed: () => time },
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

void t.test('hostile Events: at most 1,000 made-up owners are remembered', async (t) => {
  let calls = 0
  const confirm = createOwnerCheck(
    { call: async () => ({ metadata: { uid: `uid ${calls++}` } }) },
    { elapsed: () => 0 },
  )
  const looked = async (index: number): Promise<boolean> => {
    const before = calls
    await confirm('shop', owner(`made-up-${index}`))
    return calls > before
  }
  for (let index = 0; index < 3000; index++) await looked(index)
  t.equal(calls, 3000)
  t.strictSame([await looked(2999), await looked(2000), await looked(1999)], [false, false, true])
})

void t.test('hostile Events: a namespace that floods takes nothing from the budget of others', async (t) => {
  let time = 0
  const hasBudget = createEventBudget({ elapsed: () => time })
  const count = (namespace: string, tries: number) =>
    Array.from({ length: tries }, () => hasBudget(namespace)).filter(Boolean).length
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
  const hasBudget = createEventBudget({ elapsed: () => time })
  for (let index = 0; index < 60; index++) hasBudget('flooding')
  let passed = 0
  for (let index = 0; index < 100_000; index++) if (hasBudget(`made-up-${index}`)) passed++
  t.equal(passed, 999)
  t.equal(hasBudget('flooding'), false, 'its spent budget is not forgotten')
  time += 2_000
  t.equal(hasBudget('shop'), true, 'room again once others are full again')
})
