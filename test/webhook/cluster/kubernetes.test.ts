import t, { type Test } from 'tap'
import { realClock, type Clock } from '../../../shared/clock.ts'
import { ApiError } from '../../../shared/kubernetes/api.ts'
import { createKubernetesCluster } from '../../../webhook/cluster/kubernetes.ts'
import { readOwnImage } from '../../../webhook/cluster/own-pod.ts'
import { FakeApi } from '../../support/fake-api.ts'
import { until } from '../../support/until.ts'
import { capturedLog } from '../../support/captured-log.ts'

const { log } = capturedLog()
const account = (name: string, annotations: Record<string, string>) => ({ namespace: 'shop', name, annotations })
const clientId = 'azure.workload.identity/client-id'
const kept = {
  'azure.keyvault.injector/vault': 'kv',
  'config.linkerd.io/skip-outbound-ports': '25',
  'openshift.io/sa.scc.uid-range': '1000650000/10000',
}

async function started(
  t: Test,
  change: (api: FakeApi) => void = () => {},
  options: { clock?: Pick<Clock, 'elapsed' | 'wait'> } = {},
) {
  const api = new FakeApi()
  api.lists.set('/api/v1/namespaces', [
    {
      name: 'shop',
      labels: { team: 'a', 'azure.keyvault.injector/system': 'true' },
      annotations: { ...kept, other: 'x' },
    },
  ])
  api.lists.set('/api/v1/serviceaccounts', [account('web', { [clientId]: 'one', other: 'x' }), account('default', {})])
  api.lists.set('/api/v1/limitranges', [
    { namespace: 'shop', name: 'small' },
    { namespace: 'shopping', name: 'other' },
  ])
  api.rest.set('small', {
    spec: {
      limits: [
        { type: 'PersistentVolumeClaim', max: { storage: '1Gi' } },
        { type: 'Pod', max: { cpu: '1' } },
        { type: 'Container', max: { cpu: '100m' }, default: { cpu: '90m' }, defaultRequest: { cpu: '10m' } },
      ],
    },
  })
  api.answers.set('/api/v1/nodes', {
    columnDefinitions: [{ name: 'Name' }, { name: 'Version' }],
    rows: [{ cells: ['a', 'v1.34.1'] }, { cells: ['b', 'v1.9.11'] }, { cells: ['c', 'v1.30.2'] }],
  })
  change(api)
  const cluster = createKubernetesCluster({ api, log, ...options })
  t.teardown(() => cluster.close())
  await until('the caches are full', () => cluster.notReady() === undefined)
  api.calls.length = 0
  return { api, cluster }
}

void t.test('cluster cache: it answers from the cache, and keeps only what decisions need', async (t) => {
  const { api, cluster } = await started(t)
  t.strictSame(await cluster.namespace('shop'), {
    value: { name: 'shop', labels: { 'azure.keyvault.injector/system': 'true' }, annotations: kept },
    cached: true,
  })
  t.strictSame(await cluster.serviceAccount('shop', 'web'), {
    value: { annotations: { [clientId]: 'one' } },
    cached: true,
  })
  t.strictSame(await cluster.serviceAccount('shop', 'default'), { value: { annotations: {} }, cached: true })
  t.strictSame(api.calls, [])
})

void t.test('cluster cache: it reads live what it does not know, and on request', async (t) => {
  const { api, cluster } = await started(t)
  const path = '/api/v1/namespaces/shop/serviceaccounts'
  t.strictSame(await cluster.serviceAccount('shop', 'gone'), { value: undefined, cached: false })
  api.answers.set(`${path}/new`, { metadata: account('new', { [clientId]: 'two' }) })
  t.strictSame(await cluster.serviceAccount('shop', 'new'), {
    value: { annotations: { [clientId]: 'two' } },
    cached: false,
  })
  api.answers.set(`${path}/default`, { metadata: account('default', { [clientId]: 'three' }) })
  t.match(await cluster.serviceAccount('shop', 'default', { live: true }), {
    value: { annotations: { [clientId]: 'three' } },
  })
  t.strictSame(api.calls, [`${path}/gone`, `${path}/new`, `${path}/default`])
  for (const automount of [true, false]) {
    api.answers.set(`${path}/default`, { ...account('default', {}), automountServiceAccountToken: automount })
    t.strictSame((await cluster.serviceAccount('shop', 'default', { live: true })).value, {
      annotations: {},
      automount,
    })
  }
  api.failure = new ApiError(403, 'GET x: 403 forbidden')
  await t.rejects(cluster.serviceAccount('shop', 'other'), /403 forbidden/, 'a refusal is not an absence')
})

void t.test('cluster cache: the oldest kubelet is compared by number', async (t) => {
  const { cluster } = await started(t)
  t.equal(cluster.oldestKubelet(), 'v1.9.11')
  t.equal(cluster.apiServer(), undefined, 'the API server does not say its version')
})

void t.test('cluster cache: reading nodes may be forbidden', async (t) => {
  const { cluster } = await started(t, (api) => {
    api.answers.delete('/api/v1/nodes')
    api.answers.set('/version', { major: '1', minor: '37', gitVersion: 'v1.37.2' })
  })
  t.equal(cluster.notReady(), undefined)
  t.equal(cluster.oldestKubelet(), undefined)
  t.equal(cluster.apiServer(), 'v1.37.2', 'the version of the API server is read all the same')
})

void t.test('cluster cache: it is not ready before the first lists', async (t) => {
  const api = new FakeApi()
  api.failure = new Error('connection refused')
  const cluster = createKubernetesCluster({ api, log })
  t.equal(cluster.notReady(), 'Namespaces, ServiceAccounts and Nodes have not been read yet')
  await cluster.close()

  // As long as the oldest kubelet is not asked for, a pod on an old node would get a native sidecar.
  const slow = new FakeApi()
  for (const kind of ['namespaces', 'serviceaccounts', 'limitranges']) slow.lists.set(`/api/v1/${kind}`, [])
  const { promise, resolve } = Promise.withResolvers<object>()
  slow.answers.set('/api/v1/nodes', promise)
  const waiting = createKubernetesCluster({ api: slow, log })
  await until('three watches are open', () => slow.watches.size === 3)
  t.ok(waiting.notReady())
  resolve({})
  await until('the caches are full', () => waiting.notReady() === undefined)
  t.equal(waiting.notReady(), undefined)
  await waiting.close()
})

void t.test(
  'cluster cache: after a watch is lost, stale objects are read live and the webhook stays ready',
  async (t) => {
    let now = 0
    const { api, cluster } = await started(t, undefined, { clock: { elapsed: () => now, wait: realClock.wait } })
    now = 600_000
    t.equal(cluster.notReady(), undefined)
    const path = '/api/v1/namespaces/shop/serviceaccounts/web'
    api.answers.set(path, { metadata: account('web', { [clientId]: 'two' }) })
    t.strictSame(await cluster.serviceAccount('shop', 'web'), {
      value: { annotations: { [clientId]: 'two' } },
      cached: false,
    })
    t.strictSame(api.calls, [path])
  },
)

void t.test("own image: it is read from the webhook's pod", async (t) => {
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
  await t.rejects(read(), /pod akv\/webhook-1 has no image/)
})

void t.test(
  "cluster cache: a namespace's LimitRanges are kept as far as they concern pods and containers",
  async (t) => {
    const { api, cluster } = await started(t)
    const rest = { name: 'small', min: {}, maxLimitRequestRatio: {} }
    const known = [
      { ...rest, type: 'Pod', max: { cpu: '1' } },
      { ...rest, type: 'Container', max: { cpu: '100m' }, default: { cpu: '90m' }, defaultRequest: { cpu: '10m' } },
    ]
    await until('the LimitRange is in the cache', async () => (await cluster.limitRanges('shop')).value?.length !== 0)
    t.strictSame(await cluster.limitRanges('shop'), { value: known, cached: true })
    t.strictSame(await cluster.limitRanges('none'), { value: [], cached: true })
    api.lists.set('/api/v1/namespaces/shop/limitranges', [])
    t.strictSame(await cluster.limitRanges('shop', { live: true }), { value: [], cached: false })
    api.failure = new ApiError(403, 'forbidden')
    t.strictSame(await cluster.limitRanges('shop', { live: true }), { value: known, cached: true }, 'no reason to fail')
  },
)
