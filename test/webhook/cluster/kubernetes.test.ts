import { setTimeout as sleep } from 'node:timers/promises'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { createLogger } from '../../../shared/log.ts'
import { ApiError } from '../../../webhook/cluster/api.ts'
import { kubernetesCluster } from '../../../webhook/cluster/kubernetes.ts'
import { readOwnImage } from '../../../webhook/cluster/own-pod.ts'
import { FakeApi } from './fake-api.ts'

const log = createLogger('error', new PassThrough())
const account = (name: string, annotations: Record<string, string>) => ({ namespace: 'shop', name, annotations })
const clientId = 'azure.workload.identity/client-id'
const kept = {
  'azure.keyvault.injector/vault': 'kv',
  'config.linkerd.io/skip-outbound-ports': '25',
  'openshift.io/sa.scc.uid-range': '1000650000/10000',
}

async function started(t: Test, change: (api: FakeApi) => void = () => {}, options: { now?: () => number } = {}) {
  const api = new FakeApi()
  api.lists.set('/api/v1/namespaces', [{ name: 'shop', labels: { team: 'a', 'azure.keyvault.injector/system': 'true' }, annotations: { ...kept, other: 'x' } }]) // prettier-ignore
  api.lists.set('/api/v1/serviceaccounts', [account('web', { [clientId]: 'one', other: 'x' }), account('default', {})])
  api.lists.set('/api/v1/limitranges', [
    { namespace: 'shop', name: 'small' },
    { namespace: 'shopping', name: 'other' },
  ])
  api.rest.set('small', { spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '1Gi' } }, { type: 'Pod', max: { cpu: '1' } }, { type: 'Container', max: { cpu: '100m' }, default: { cpu: '90m' }, defaultRequest: { cpu: '10m' } }] } }) // prettier-ignore
  api.answers.set('/api/v1/nodes', { columnDefinitions: [{ name: 'Name' }, { name: 'Version' }], rows: [{ cells: ['a', 'v1.34.1'] }, { cells: ['b', 'v1.9.11'] }, { cells: ['c', 'v1.30.2'] }] }) // prettier-ignore
  change(api)
  const cluster = kubernetesCluster({ api, log, ...options })
  t.teardown(() => cluster.close())
  for (let tries = 0; cluster.notReady() !== undefined && tries < 500; tries++) await sleep(2)
  api.calls.length = 0
  return { api, cluster }
}

void t.test('answers from the cache, and keeps only what matters', async (t) => {
  const { api, cluster } = await started(t)
  t.strictSame(await cluster.namespace('shop'), {
    value: { name: 'shop', labels: { 'azure.keyvault.injector/system': 'true' }, annotations: kept }, // prettier-ignore
    cached: true,
  })
  t.strictSame(await cluster.serviceAccount('shop', 'web'), {
    value: { annotations: { [clientId]: 'one' } },
    cached: true,
  })
  t.strictSame(await cluster.serviceAccount('shop', 'default'), { value: { annotations: {} }, cached: true })
  t.strictSame(api.calls, [])
})

void t.test('reads what it does not know, or is asked to read live', async (t) => {
  const { api, cluster } = await started(t)
  const path = '/api/v1/namespaces/shop/serviceaccounts'
  t.strictSame(await cluster.serviceAccount('shop', 'gone'), { value: undefined, cached: false })
  api.answers.set(`${path}/new`, { metadata: account('new', { [clientId]: 'two' }) })
  t.strictSame(await cluster.serviceAccount('shop', 'new'), { value: { annotations: { [clientId]: 'two' } }, cached: false }) // prettier-ignore
  api.answers.set(`${path}/default`, { metadata: account('default', { [clientId]: 'three' }) })
  t.match(await cluster.serviceAccount('shop', 'default', { live: true }), { value: { annotations: { [clientId]: 'three' } } }) // prettier-ignore
  t.strictSame(api.calls, [`${path}/gone`, `${path}/new`, `${path}/default`])
  api.failure = new ApiError(403, 'GET x: 403 forbidden')
  await t.rejects(cluster.serviceAccount('shop', 'other'), /403 forbidden/, 'a refusal is not an absence')
})

void t.test('the oldest kubelet, by number', async (t) => {
  const { cluster } = await started(t)
  t.equal(cluster.oldestKubelet(), 'v1.9.11')
})

void t.test('kubelets may be forbidden', async (t) => {
  const { cluster } = await started(t, (api) => api.answers.delete('/api/v1/nodes'))
  t.equal(cluster.notReady(), undefined)
  t.equal(cluster.oldestKubelet(), undefined)
})

void t.test('not ready before the first lists', async (t) => {
  const api = new FakeApi()
  api.failure = new Error('connection refused')
  const cluster = kubernetesCluster({ api, log })
  t.equal(cluster.notReady(), 'Namespaces, ServiceAccounts and Nodes have not been read yet')
  await cluster.close()

  // As long as the oldest kubelet is not asked for, a pod on an old node would get a native sidecar.
  const slow = new FakeApi()
  for (const kind of ['namespaces', 'serviceaccounts', 'limitranges']) slow.lists.set(`/api/v1/${kind}`, [])
  const { promise, resolve } = Promise.withResolvers<object>()
  slow.answers.set('/api/v1/nodes', promise)
  const waiting = kubernetesCluster({ api: slow, log })
  for (let tries = 0; slow.watches.size < 3 && tries < 100; tries++) await sleep(5)
  t.ok(waiting.notReady())
  resolve({})
  for (let tries = 0; waiting.notReady() !== undefined && tries < 100; tries++) await sleep(5)
  t.equal(waiting.notReady(), undefined)
  await waiting.close()
})

void t.test('a lost watch: what is old is read live, and the webhook stays ready', async (t) => {
  let now = 0
  const { api, cluster } = await started(t, undefined, { now: () => now })
  now = 600_000
  t.equal(cluster.notReady(), undefined)
  const path = '/api/v1/namespaces/shop/serviceaccounts/web'
  api.answers.set(path, { metadata: account('web', { [clientId]: 'two' }) })
  t.strictSame(await cluster.serviceAccount('shop', 'web'), {
    value: { annotations: { [clientId]: 'two' } },
    cached: false,
  })
  t.strictSame(api.calls, [path])
})

void t.test("the webhook's own image", async (t) => {
  const api = new FakeApi()
  const path = '/api/v1/namespaces/akv/pods/webhook-1'
  const read = () => readOwnImage(api, 'akv', 'webhook-1', AbortSignal.timeout(1000))
  api.answers.set(path, {
    spec: {
      containers: [
        { name: 'mesh', image: 'm' },
        { name: 'webhook', image: 'akv:1' },
      ],
    },
  })
  t.equal(await read(), 'akv:1')
  api.answers.set(path, { spec: { containers: [{ name: 'main', image: 'akv:2' }] } })
  t.equal(await read(), 'akv:2')
  api.answers.set(path, { spec: { containers: [] } })
  await t.rejects(read(), /pod akv\/webhook-1 names no image/)
})

void t.test("a namespace's LimitRanges, as far as they are about pods and containers", async (t) => {
  const { api, cluster } = await started(t)
  const rest = { name: 'small', min: {}, maxLimitRequestRatio: {} }
  const known = [
    { ...rest, type: 'Pod', max: { cpu: '1' } },
    { ...rest, type: 'Container', max: { cpu: '100m' }, default: { cpu: '90m' }, defaultRequest: { cpu: '10m' } },
  ]
  for (let tries = 0; (await cluster.limitRanges('shop')).value?.length === 0 && tries < 500; tries++) await sleep(2)
  t.strictSame(await cluster.limitRanges('shop'), { value: known, cached: true })
  t.strictSame(await cluster.limitRanges('none'), { value: [], cached: true })
  api.lists.set('/api/v1/namespaces/shop/limitranges', [])
  t.strictSame(await cluster.limitRanges('shop', { live: true }), { value: [], cached: false })
  api.failure = new ApiError(403, 'forbidden')
  t.strictSame(await cluster.limitRanges('shop', { live: true }), { value: known, cached: true }, 'no reason to fail')
})
