import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createReporter } from '../../sync/reporter.ts'
import { readSyncEnvironment } from '../../sync/environment.ts'
import type { SyncPoll } from '../../sync/class-sync.ts'
import { createSyncEvents } from '../../sync/events.ts'
import { createSyncMetrics } from '../../sync/metrics.ts'
import { serve } from '../../sync/server.ts'
import { mostClasses, watchCluster } from '../../sync/watch.ts'
import { capturedLog } from '../support/captured-log.ts'
import { FakeApi } from '../support/fake-api.ts'
import { VirtualClock } from '../support/clock.ts'
import { until } from '../support/until.ts'
import { ObjectApi } from './object-api.ts'

void t.test('sync environment: every problem is told, and defaults apply', async (t) => {
  const read = readSyncEnvironment({ POD_NAMESPACE: 'akv' })
  t.match(read, { value: { port: 8080, logLevel: 'info', pod: { namespace: 'akv', name: 'akv-injector-sync' } } })
  t.match(readSyncEnvironment({ PORT: 'x', LOG_LEVEL: 'loud' }), {
    problems: [/PORT is not a port/, /LOG_LEVEL is "loud"/, /POD_NAMESPACE is not set/],
  })
})

const labels = (value: string) => ({ 'azure.keyvault.injector/injection': value })
const asks = { 'azure.keyvault.injector/sync-as': 'web', other: 'x' }
const meta = (namespace: string, name: string, annotations: Record<string, string> = asks) => ({
  ...{ namespace, name, resourceVersion: '7', annotations },
  uid: `${namespace}-${name}`,
})

/** A watched cluster whose namespaces and classes the test sets. */
function setUp(t: { teardown: (end: () => unknown) => unknown }, classes: object[]) {
  const api = new FakeApi()
  api.pageSize = 1000
  api.lists.set('/api/v1/namespaces', [
    { name: 'shop', labels: labels('enabled') },
    { name: 'trial', labels: labels('report') },
    { name: 'ending', labels: labels('enabled'), deletionTimestamp: '2026-01-01T00:00:00Z' },
    { name: 'kube-system' },
  ])
  api.lists.set('/apis/secrets-store.csi.x-k8s.io/v1/secretproviderclasses', classes)
  const limited: string[] = []
  const watched = watchCluster({ api, log: capturedLog().log, onLimited: (limit) => void limited.push(limit) })
  t.teardown(() => watched.close())
  return { watched, limited, api }
}

void t.test('sync watch: only classes that ask, in namespaces that are enabled', async (t) => {
  const { watched, api } = setUp(t, [
    meta('shop', 'web'),
    meta('shop', 'plain', { other: 'x' }),
    meta('trial', 'web'),
    meta('ending', 'web'),
    meta('kube-system', 'web'),
    { ...meta('shop', 'going'), deletionTimestamp: '2026-01-01T00:00:00Z' },
  ])
  const found = await until('classes are read', () => watched.classes().length > 0 && watched.classes())
  t.strictSame(found, [{ namespace: 'shop', name: 'web', uid: 'shop-web', resourceVersion: '7' }])
  t.ok(watched.isRead())
  const watch = await until('namespaces are watched', () => api.watches.get('/api/v1/namespaces'))
  watch.send({ type: 'MODIFIED', object: { metadata: { name: 'shop', labels: labels('report') } } })
  t.strictSame(watched.classes(), [], 'no longer enabled')
})

void t.test('sync watch: a namespace has a limited number of classes', async (t) => {
  const many = Array.from({ length: mostClasses + 20 }, (_, index) =>
    meta('shop', `c-${String(index).padStart(3, '0')}`),
  )
  const { watched, limited } = setUp(t, many)
  const found = await until('classes are read', () => watched.classes().length > 0 && watched.classes())
  t.equal(found.length, mostClasses)
  t.equal(found.at(-1)?.name, 'c-099')
  t.ok(limited.includes('classes'))
})

void t.test('sync server: probes and metrics, and nothing else', async (t) => {
  let reason: string | undefined = 'not yet'
  const server = await serve({ notReady: () => reason, metrics: async () => 'm 1\n' }, 0)
  t.teardown(() => server.close())
  const get = async (path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
    return [response.status, await response.text()]
  }
  t.strictSame(await get('/livez'), [200, 'ok\n'])
  t.strictSame(await get('/readyz'), [503, 'not yet\n'])
  reason = undefined
  t.strictSame(await get('/readyz'), [200, 'ok\n'])
  t.strictSame(await get('/metrics'), [200, 'm 1\n'])
  t.strictSame(await get('/classes'), [404, 'not found\n'])
})

void t.test('sync reporter: each write has an audit line, and metrics count what polls did', async (t) => {
  const { log, lines } = capturedLog('info')
  const api = new ObjectApi()
  const events = createSyncEvents({ api, instance: 'sync-1', log, clock: new VirtualClock() })
  let classes = ['shop/web']
  const metrics = createSyncMetrics({
    version: '1',
    classes: () => classes,
    eventsDropped: events.dropped,
    memory: () => 1,
  })
  const { polled, request, signIn } = createReporter({ log, events, metrics })
  const one = { namespace: 'shop', name: 'web', uid: 'uid-web', resourceVersion: '1' }
  const poll: SyncPoll = {
    messages: [{ reason: 'Conflict', secret: 'other', message: 'Secret other: it exists' }],
    writes: [
      { secret: 'db', outcome: 'updated', versions: 'secret/password@v2' },
      { secret: 'same', outcome: 'unchanged', versions: 'secret/same@v1' },
    ],
    result: 'refused',
  }
  await polled(one, poll)
  signIn({ identity: 'c', outcome: 'success', durationMs: 1, ahead: false })
  request({
    vault: 'my-kv',
    identity: 'c',
    operation: 'list',
    type: 'secret',
    outcome: 'success',
    requests: 1,
    durationMs: 1,
  })
  const events_ = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(events_, [
    {
      event: 'secret-write',
      namespace: 'shop',
      class: 'web',
      secret: 'db',
      outcome: 'updated',
      versions: 'secret/password@v2',
    },
    { level: 'warn', event: 'sync', reason: 'Conflict' },
    { event: 'sign-in' },
  ])
  metrics.policies(true)
  const text = await metrics.text()
  for (const line of [
    'akv_injector_sync_policies_enforced 1',
    'akv_injector_sync_classes 1',
    'akv_injector_sync_failing_classes{result="refused"} 1',
    'akv_injector_sync_polls_total{result="refused"} 1',
    'akv_injector_sync_writes_total{outcome="updated"} 1',
    'akv_injector_sync_messages_total{reason="Conflict"} 1',
    'akv_injector_sync_vault_requests_total{operation="list",outcome="success"} 1',
    'akv_injector_sync_sign_ins_total{outcome="success"} 1',
  ])
    t.match(text, line)
  classes = []
  t.match(
    await metrics.text(),
    'akv_injector_sync_failing_classes{result="refused"} 0',
    'a class that is gone fails no longer',
  )
})
