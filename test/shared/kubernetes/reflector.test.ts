import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ApiError } from '../../../shared/kubernetes/api.ts'
import { createReflector } from '../../../shared/kubernetes/reflector.ts'
import { FakeApi } from '../../support/fake-api.ts'
import { until } from '../../support/until.ts'
import { capturedLog } from '../../support/captured-log.ts'

const path = '/api/v1/serviceaccounts'
const limits = { bytes: 1e6, bytesPerNamespace: 1e6 }
const { log } = capturedLog()

async function started(t: Test, api: FakeApi, more: { silenceMs?: number } = {}) {
  const waits: number[] = []
  let now = 0
  const reflector = createReflector({
    api,
    path,
    log,
    fields: true,
    limits,
    keep: ({ metadata }) => metadata?.annotations?.['note'] ?? '',
    clock: {
      elapsed: () => now,
      wait: async (milliseconds) => {
        waits.push(milliseconds)
        now += milliseconds
        await sleep(1)
      },
    },
    random: () => 0.5,
    ...more,
  })
  t.teardown(() => reflector.close())
  await until('the watch is open', () => api.watches.has(path))
  return {
    reflector,
    waits,
    watch: () => api.watches.get(path)!,
    later: (milliseconds: number) => (now += milliseconds),
  }
}

const object = (name: string, note: string, resourceVersion = '200') => ({
  metadata: { namespace: 'shop', name, annotations: { note }, resourceVersion },
})

void t.test('reflector: lists page by page, then watches from the last version', async (t) => {
  const api = new FakeApi()
  api.lists.set(
    path,
    ['a', 'b', 'c'].map((name) => object(name, `of ${name}`).metadata),
  )
  const { reflector, watch } = await started(t, api)
  t.equal(reflector.size, 3)
  t.equal(reflector.get('shop', 'c'), 'of c')
  t.equal(reflector.get('other', 'c'), undefined)
  t.match(api.calls, [
    `${path}?limit=100`,
    `${path}?limit=100&continue=2`,
    /watch=1&allowWatchBookmarks=true&timeoutSeconds=450&resourceVersion=102$/,
  ])

  watch().send({ type: 'ADDED', object: object('d', 'new') })
  watch().send({ type: 'MODIFIED', object: object('a', 'changed') })
  watch().send({ type: 'DELETED', object: object('b', '') })
  t.equal(reflector.get('shop', 'd'), 'new')
  t.equal(reflector.get('shop', 'a'), 'changed')
  t.equal(reflector.get('shop', 'b'), undefined)
})

void t.test('reflector: a watch that ends is continued from its last version', async (t) => {
  const api = new FakeApi()
  api.lists.set(path, [])
  const { watch } = await started(t, api)
  watch().send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '345' } } })
  const before = api.calls.length
  watch().end()
  await until('the watch is opened again', () => api.calls.length > before && api.watches.has(path))
  t.match(api.calls.slice(before), [/watch=1.*resourceVersion=345$/], 'no list again')
})

void t.test('reflector: a silent watch is restarted from its last version', async (t) => {
  const api = new FakeApi()
  api.lists.set(path, [object('a', 'x').metadata])
  // A network that drops a connection without a word ends no watch.
  const { reflector, watch } = await started(t, api, { silenceMs: 50 })
  const watches = (): string[] => api.calls.filter((call) => call.includes('watch=1'))
  await until('watch 2 is requested', () => watches().length === 2 && api.watches.has(path))
  watch().send({ type: 'MODIFIED', object: object('a', 'y', '300') })
  t.equal(reflector.get('shop', 'a'), 'y')
  await until('watch 3 is requested', () => watches().length === 3)
  t.match(watches()[2], /resourceVersion=300$/)
  t.equal(api.calls.length, 4, 'one list')
})

void t.test('reflector: an expired version leads to a new list, and objects that are gone are removed', async (t) => {
  for (const forget of [
    (watch: { send: (event: unknown) => void }) =>
      watch.send({ type: 'ERROR', object: { code: 410, message: 'too old' } }),
    (watch: { end: (error: Error) => void }) => watch.end(new ApiError(410, 'gone')),
  ]) {
    const api = new FakeApi()
    api.lists.set(path, [object('a', 'x').metadata])
    const { reflector, watch } = await started(t, api)
    api.lists.set(path, [object('b', 'y').metadata])
    forget(watch())
    await until('the object is listed', () => reflector.get('shop', 'b') !== undefined)
    t.equal(reflector.get('shop', 'a'), undefined)
  }
})

void t.test(
  'reflector: failures are retried with growing delays, and the copy is kept until it is stale',
  async (t) => {
    const api = new FakeApi()
    api.lists.set(path, [object('a', 'x').metadata])
    const { reflector, waits, watch, later } = await started(t, api)
    t.ok(reflector.fresh())
    api.failure = new Error('connection refused')
    watch().end(new Error('reset'))
    await until('it has waited between tries', () => waits.length >= 6)
    t.ok(
      waits.every((wait, index) => index === 0 || wait >= waits[index - 1]!),
      `${waits.join(' ')}`,
    )
    t.ok(waits.every((wait) => wait <= 30_000))
    t.equal(reflector.get('shop', 'a'), 'x')
    t.ok(reflector.fresh(), 'for a while')
    later(600_000)
    const tries = waits.length
    await until('it has waited between tries', () => waits.length >= tries + 2)
    t.notOk(reflector.fresh(), 'not believed any more, however often it is asked for')
    t.ok(Math.max(...waits) > 20_000)
    api.lists.set(path, [object('b', 'y').metadata])
    api.failure = undefined
    await until('the watch is open', () => api.watches.has(path))
    t.ok(reflector.fresh())
    t.equal(reflector.get('shop', 'a'), undefined, 'listed again')
  },
)

void t.test('reflector: the copy is not fresh before the first list', async (t) => {
  const api = new FakeApi()
  api.failure = new Error('connection refused')
  const reflector = createReflector({ api, path, log, fields: true, limits, keep: () => 1 })
  t.notOk(reflector.fresh())
  await reflector.close()
})
