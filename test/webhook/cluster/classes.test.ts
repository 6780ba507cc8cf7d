import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { realClock } from '../../../shared/clock.ts'
import { ApiError, TooLargeError } from '../../../shared/kubernetes/api.ts'
import { watchClasses } from '../../../webhook/cluster/classes.ts'
import { createReads } from '../../../webhook/cluster/reads.ts'
import { FakeApi } from '../../support/fake-api.ts'
import { until } from '../../support/until.ts'
import { capturedLog } from '../../support/captured-log.ts'

const group = '/apis/secrets-store.csi.x-k8s.io/v1'
const collection = `${group}/secretproviderclasses`
const pathOf = (name: string): string => `${group}/namespaces/shop/secretproviderclasses/${name}`
const spec = { provider: 'azure' }

function started(t: Test, change: (api: FakeApi) => void = () => {}) {
  const api = new FakeApi()
  const pauses: number[] = []
  const { log, lines } = capturedLog()
  api.answers.set(group, { resources: [{ name: 'secretproviderclasses' }, { name: 'secretproviderclasspodstatuses' }] })
  change(api)
  const classes = watchClasses({
    api,
    reads: createReads(api),
    log,
    random: () => 1,
    // The first pause is over at once, the second never ends.
    clock: {
      elapsed: realClock.elapsed,
      wait: (milliseconds, abort) => {
        pauses.push(milliseconds)
        return pauses.length === 1 ? Promise.resolve() : realClock.wait(3_600_000, abort)
      },
    },
  })
  t.teardown(() => classes.close())
  return { api, classes, lines, pauses }
}

void t.test('class cache: nothing is read before the first request', async (t) => {
  const { api } = started(t)
  await sleep(0)
  t.strictSame(api.calls, [])
})

void t.test(
  'class cache: the first class is read live, later ones come from the cache, and only their spec is kept',
  async (t) => {
    const { api, classes } = started(t, (api) => {
      api.answers.set(pathOf('web'), { metadata: { name: 'web' }, spec, status: { large: true } })
      api.lists.set(collection, [{ namespace: 'shop', name: 'web' }])
    })
    t.strictSame(await classes.find('shop', 'web'), { value: { spec }, cached: false })
    await until('the watch is open', () => api.watches.has(collection))
    const send = (type: string, changed: object) =>
      api.watches
        .get(collection)
        ?.send({ type, object: { metadata: { namespace: 'shop', name: 'web' }, spec: changed, status: {} } })
    send('MODIFIED', { provider: 'other' })
    t.strictSame(await classes.find('shop', 'web'), { value: { spec: { provider: 'other' } }, cached: true })
    t.strictSame(await classes.find('shop', 'web', { live: true }), { value: { spec }, cached: false }, 'or live')
    send('DELETED', {})
    api.answers.delete(pathOf('web'))
    t.strictSame(await classes.find('shop', 'web'), { value: 'absent', cached: false, known: [] })
    send('ADDED', {})
    t.match(
      await classes.find('shop', 'wib'),
      { value: 'absent', known: ['web'] },
      'names of the namespace, to suggest one',
    )
    send('DELETED', {})
    t.match(await classes.find('other', 'web'), { value: 'absent', cached: false }, 'nor is it in other namespaces')
  },
)

void t.test('class cache: a cluster without the kind has no classes', async (t) => {
  const { api, classes, lines, pauses } = started(t, (api) => api.answers.delete(group))
  t.strictSame(await classes.find('shop', 'web'), { value: 'unknown-kind', cached: false })
  await until('it was asked for twice', () => pauses.length === 2)
  t.strictSame(pauses, [60_000, 60_000], 'the collection is asked for once a minute')
  t.strictSame(lines, [], 'and nothing is logged')
  api.answers.set(group, { resources: [{ name: 'somethingelse' }] })
  t.strictSame(await classes.find('shop', 'web'), { value: 'unknown-kind', cached: false }, 'nor by its group alone')
  api.answers.set(pathOf('web'), { spec })
  t.strictSame(await classes.find('shop', 'web'), { value: { spec }, cached: false }, 'it may come later')
})

void t.test('class cache: if the kind is removed, its objects are too', async (t) => {
  const { api, classes, pauses } = started(t, (api) => api.lists.set(collection, []))
  await classes.find('shop', 'web')
  await until('the watch is open', () => api.watches.has(collection))
  api.watches.get(collection)?.send({ type: 'ADDED', object: { metadata: { namespace: 'shop', name: 'web' }, spec } })
  t.match(await classes.find('shop', 'web'), { cached: true })
  api.lists.delete(collection)
  api.answers.delete(group)
  api.watches.get(collection)?.end(new ApiError(404, 'gone'))
  await until('it was asked for again', () => pauses.length === 2)
  t.strictSame(await classes.find('shop', 'web'), { value: 'unknown-kind', cached: false })
})

void t.test('class cache: a denied read is not an absent class', async (t) => {
  const { classes } = started(t, (api) => (api.failure = new ApiError(403, 'GET x: 403 forbidden')))
  await t.rejects(classes.find('shop', 'web'), /403 forbidden/)
})

void t.test('class cache: a class that is too large is not a failure of the API server', async (t) => {
  const { api, classes } = started(t, (api) => (api.failure = new TooLargeError('GET x: the answer is too large')))
  t.strictSame(await classes.find('shop', 'web'), { value: 'too-large', cached: false })
  t.notOk(api.calls.includes(group), 'the kind is not asked for')
})
