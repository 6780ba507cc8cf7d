import { setImmediate } from 'node:timers/promises'
import { mock } from 'node:test'
import t from 'tap'
import type { Api, ApiRequest } from '../../../shared/kubernetes/api.ts'
import { createReads, type Reads } from '../../../webhook/cluster/reads.ts'

/** An API server whose answers the test gives, in the order of the requests. */
class HeldApi implements Api {
  readonly sent: (ApiRequest & PromiseWithResolvers<unknown>)[] = []
  call(request: ApiRequest): Promise<unknown> {
    const one = { ...request, ...Promise.withResolvers<unknown>() }
    this.sent.push(one)
    return one.promise
  }
  follow(): Promise<void> {
    return Promise.reject(new Error('not used'))
  }
  get paths(): string[] {
    return this.sent.map(({ path }) => path)
  }
}

function started() {
  const api = new HeldApi()
  const limited: string[] = []
  const reads = createReads(api, (limit) => limited.push(limit))
  return { api, limited, read: (...asked: Parameters<Reads['read']>) => reads.read(...asked) }
}

void t.test('cluster reads: eight run at once, 64 wait, and more are rejected', async (t) => {
  const { api, limited, read } = started()
  const all = Array.from({ length: 73 }, (_, index) => read({ path: `/${index}` }, {}))
  const settled = Promise.allSettled(all)
  await t.rejects(all[72]!, { message: 'too many reads of the API server are waiting' })
  t.strictSame(limited, ['look-ups'])
  t.equal(api.sent.length, 8)
  for (let at = 0; at < 72; at++) {
    t.ok(api.sent.length <= at + 8, `${api.sent.length} sent, ${at} answered`)
    // A failure gives its place back, too.
    if (at % 2 === 0) api.sent[at]?.resolve(at)
    else api.sent[at]?.reject(new Error('failed'))
    await setImmediate()
  }
  const outcomes = (await settled).map(({ status }) => status)
  t.equal(outcomes.filter((status) => status === 'fulfilled').length, 36)
  t.strictSame(
    api.paths,
    Array.from({ length: 72 }, (_, index) => `/${index}`),
    'in their order',
  )
  const next = Array.from({ length: 9 }, (_, index) => read({ path: `/later-${index}` }, {}))
  t.equal(api.sent.length, 80, 'eight again')
  for (let at = 72; at < 81; at++) {
    api.sent[at]?.resolve('x')
    await setImmediate()
  }
  t.strictSame(
    await Promise.all(next),
    Array.from({ length: 9 }, () => 'x'),
  )
})

void t.test('cluster reads: reviews share a read that begins after they arrived', async (t) => {
  const { api, read } = started()
  const first = read({ path: '/a' }, {})
  const later = Array.from({ length: 50 }, () => read({ path: '/a' }, {}))
  t.strictSame(api.paths, ['/a'])
  api.sent[0]?.resolve('old')
  t.equal(await first, 'old')
  await setImmediate()
  t.strictSame(api.paths, ['/a', '/a'], 'one for all 50')
  api.sent[1]?.resolve('new')
  t.strictSame(new Set(await Promise.all(later)), new Set(['new']), 'none got what was read before it asked')
  const last = read({ path: '/a' }, {})
  t.equal(api.sent.length, 3, 'nothing is kept')
  api.sent[2]?.resolve('newest')
  t.equal(await last, 'newest')
})

void t.test('cluster reads: a shared read that fails does not fail the next', async (t) => {
  const { api, read } = started()
  const first = read({ path: '/a' }, {})
  const second = read({ path: '/a' }, {})
  api.sent[0]?.reject(new Error('failed'))
  await t.rejects(first, /failed/)
  await setImmediate()
  api.sent[1]?.resolve('x')
  t.equal(await second, 'x')
})

void t.test('cluster reads: a review reads an object once, and at most 32 objects', async (t) => {
  const { api, limited, read } = started()
  const reads = new Map<string, Promise<unknown>>()
  const all = Array.from({ length: 32 }, (_, index) => read({ path: `/${index}` }, { reads }))
  const again = read({ path: '/3' }, { reads })
  await t.rejects(read({ path: '/32' }, { reads }), /more than 32 objects/)
  t.strictSame(limited, ['look-ups'])
  for (let at = 0; at < 32; at++) {
    api.sent[at]?.resolve(at)
    await setImmediate()
  }
  t.equal(await again, 3)
  t.strictSame(
    await Promise.all(all),
    Array.from({ length: 32 }, (_, index) => index),
  )
  t.equal(api.sent.length, 32)
})

void t.test('cluster reads: a review that gives up leaves the read to the others', async (t) => {
  const { api, read } = started()
  const giveUp = new AbortController()
  const impatient = read({ path: '/a' }, { signal: giveUp.signal })
  giveUp.abort()
  await t.rejects(impatient, { message: 'GET /a: no answer in time' })
  t.notOk(api.sent[0]?.signal?.aborted)
  await t.rejects(read({ path: '/b' }, { signal: giveUp.signal }), /GET \/b: no answer in time/)
  for (const { resolve } of api.sent) resolve('x')
})

void t.test('cluster reads: a read without an answer ends after 10 s', async (t) => {
  const { api, read } = started()
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  void read({ path: '/a' }, {})
  mock.timers.tick(9_999)
  t.notOk(api.sent[0]?.signal?.aborted)
  mock.timers.tick(1)
  t.ok(api.sent[0]?.signal?.aborted)
  api.sent[0]?.resolve('x')
})
