import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { annotated } from '../webhook/review-app.ts'
import { clientId } from '../webhook/default-configuration.ts'
import { annotatedObject, longText, startApiServer, type ApiServer, type Collection } from './hostile-api-server.ts'
import { certificateFolder } from '../support/server-certificate.ts'
import { startWebhook, type WebhookProcess } from './webhook-process.ts'
import { webhookManifest } from '../support/deployment-manifest.ts'
import { until } from '../support/until.ts'

// What tenants can put into a cluster: objects as large and as many as the API server takes. The webhook reads all of them.

t.setTimeout(600_000)
const skip = process.platform === 'linux' ? false : 'memory is read from /proc'
const accounts = '/api/v1/serviceaccounts'
const classes = '/apis/secrets-store.csi.x-k8s.io/v1'
const classPath = `${classes}/namespaces/shop/secretproviderclasses`
const shopAccount = { name: 'default', namespace: 'shop', resourceVersion: '1' }
const shop = JSON.stringify({
  metadata: { ...shopAccount, annotations: { 'azure.workload.identity/client-id': clientId } },
})

const calm: Record<string, Collection> = {
  '/api/v1/namespaces': { count: 1, object: () => ['{"metadata":{"name":"shop"}}'] },
  [accounts]: { count: 1, object: () => [shop] },
  '/api/v1/limitranges': { count: 0, object: () => [] },
  '/api/v1/nodes': { count: 0, object: () => [] },
  '/api/v1/pods': { count: 0, object: () => [] },
}

const registration = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector'
const service = { namespace: 'akv-injector-system', name: 'akv-injector', path: '/mutate' }

/** The webhook in a cluster whose API server trusts its certificate, with its caches full. */
async function start(t: Test, api: ApiServer, env: Record<string, string> = {}): Promise<WebhookProcess> {
  const { folder, cert } = certificateFolder(t)
  const clientConfig = { caBundle: Buffer.from(cert).toString('base64'), service }
  api.single.set(registration, JSON.stringify({ webhooks: [{ name: 'inject.azure.keyvault.injector', clientConfig }] }))
  writeFileSync(join(folder, 'kubeconfig'), api.kubeconfig)
  const webhook = await startWebhook(t, {
    KUBECONFIG: join(folder, 'kubeconfig'),
    CERTIFICATES_FOLDER: folder,
    POD_NAMESPACE: service.namespace,
    SERVICE_NAMES: service.name,
    MUTATING_CONFIGURATION: 'injector',
    ...env,
  })
  const ready = () =>
    webhook.get('/readyz').then(
      ({ status }) => status === 200,
      () => false,
    )
  await until('the caches to be full', ready)
  return webhook
}

async function survives(t: Test, webhook: WebhookProcess, api: ApiServer): Promise<void> {
  const before = api.requests.length
  t.match(await webhook.review(), { status: 200, body: /"patchType":"JSONPatch"/ }, 'another tenant is answered')
  t.strictSame(
    api.requests.slice(before).filter((request) => request.includes('/shop/serviceaccounts')),
    [],
    'from the cache',
  )
  const peak = webhook.peak()
  t.comment(`${Math.round(peak / 2 ** 20)} MiB of ${webhookManifest.memory / 2 ** 20}`)
  t.ok(peak < webhookManifest.memory, `${peak} bytes are less than the limit, ${webhookManifest.memory}`)
}

void t.test('cluster cache: 300 ServiceAccounts with unused annotations take no memory', { skip }, async (t) => {
  const object = (index: number) =>
    index === 200 ? [shop] : annotatedObject({ name: `a-${index}`, namespace: 'b' }, 'theirs/x', 250_000)
  const api = await startApiServer(t, { ...calm, [accounts]: { count: 300, object } })
  const webhook = await start(t, api)
  await survives(t, webhook, api)
  t.equal((await webhook.limited())['cached-object'], undefined, 'all of them are cached')
})

void t.test('cluster cache: 300 ServiceAccounts with long annotations stay within the limit', { skip }, async (t) => {
  const object = (index: number) =>
    index === 200
      ? [shop]
      : annotatedObject({ name: `a-${index}`, namespace: 'b' }, 'azure.workload.identity/client-id', 250_000)
  const live = (path: string) =>
    path === '/api/v1/namespaces/b/serviceaccounts/a-1'
      ? annotatedObject({ name: 'a-1' }, 'azure.workload.identity/client-id', 250_000)
      : undefined
  const api = await startApiServer(t, { ...calm, [accounts]: { count: 300, object } }, live)
  const webhook = await start(t, api)
  await survives(t, webhook, api)
  t.equal((await webhook.limited())['cached-object'], 299)
})

void t.test('cluster cache: a namespace of 20,000 ServiceAccounts takes no space of others', { skip }, async (t) => {
  const account = (index: number) =>
    JSON.stringify({
      metadata: {
        name: `account-${index}`,
        namespace: 'crowded',
        annotations: { 'azure.workload.identity/client-id': `${index}`.padStart(36, '0') },
      },
    })
  const object = (index: number) => [index === 19_999 ? shop : account(index)]
  const api = await startApiServer(t, { ...calm, [accounts]: { count: 20_000, object } })
  const webhook = await start(t, api)
  await survives(t, webhook, api)
  t.ok(((await webhook.limited())['cached-objects'] ?? 0) > 15_000)
})

void t.test(
  'cluster cache: Namespaces and LimitRanges of the largest size stay within the limit',
  { skip },
  async (t) => {
    const namespace = (index: number) =>
      index === 0
        ? ['{"metadata":{"name":"shop"}}']
        : annotatedObject({ name: `n-${index}` }, 'azure.keyvault.injector/objects', 250_000)
    const limits = Array.from({ length: 10_000 }, () => ({ type: 'Container', max: { cpu: '1' } }))
    const range = (index: number) => [
      JSON.stringify({ metadata: { name: `r-${index}`, namespace: 'b' }, spec: { limits } }),
    ]
    const api = await startApiServer(t, {
      ...calm,
      '/api/v1/namespaces': { count: 200, object: namespace },
      '/api/v1/limitranges': { count: 200, object: range },
    })
    const webhook = await start(t, api)
    await survives(t, webhook, api)
    await until('what was too large is counted', async () => ((await webhook.limited())['cached-object'] ?? 0) > 300)
  },
)

void t.test('cluster cache: a watch continues after an event of 100 MB', { skip }, async (t) => {
  const changed = shop.replace(clientId, '99999999-9999-4999-8999-999999999999').replace('"1"', '"300"')
  function* events() {
    yield '{"type":"MODIFIED","object":'
    yield* annotatedObject({ ...shopAccount, resourceVersion: '200' }, 'azure.workload.identity/client-id', 100_000_000)
    yield '}\n'
    yield `{"type":"MODIFIED","object":${changed}}\n`
  }
  const api = await startApiServer(t, { ...calm, [accounts]: { count: 1, object: () => [shop], events } })
  const webhook = await start(t, api)
  const identity = async () =>
    Buffer.from(/"patch":"([^"]+)"/.exec((await webhook.review()).body)?.[1] ?? '', 'base64').toString()
  await until('the event after it arrives', async () => /99999999-/.test(await identity()))
  t.match(await webhook.limited(), { 'cached-object': 1 })
  await survives(t, webhook, api)
})

void t.test(
  'cluster cache: 60 SecretProviderClasses of 1.4 MB that pods name stay within the limit',
  { skip },
  async (t) => {
    function* spec(objects: Iterable<string>) {
      yield '"spec":{"provider":"azure","parameters":{"keyvaultName":"my-kv","tenantId":"11111111-2222-4333-8444-555555555555","objects":'
      yield* objects
      yield '}}}'
    }
    function* object(name: string, length: number) {
      yield `{"metadata":{"name":"${name}","namespace":"shop"},`
      yield* spec(longText(length))
    }
    const collection = { count: 60, object: (index: number) => object(`c-${index}`, 1_400_000) }
    const api = await startApiServer(t, { ...calm, [`${classes}/secretproviderclasses`]: collection }, (path) =>
      path.startsWith(`${classPath}/c-`) ? object(path.slice(classPath.length + 1), 1_400_000) : undefined,
    )
    const webhook = await start(t, api)
    const names = (from: number) => Array.from({ length: 20 }, (_, index) => `c-${from + index}`).join()
    const pods = [0, 20, 40].map((from) => annotated({ 'secret-provider-class': names(from) }))
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(pods.map((pod) => webhook.review(pod)))
      for (const { body } of answers) t.match(body, /the spec is larger than 256 KiB|too many reads/)
    }
    await survives(t, webhook, api)
    t.ok(((await webhook.limited())['cached-object'] ?? 0) >= 60)
  },
)

void t.test(
  'cluster cache: the audit of pods with the longest annotations stays within the limit',
  { skip },
  async (t) => {
    const pod = (index: number) =>
      annotatedObject(
        { name: `p-${index}`, namespace: 'shop', uid: `u-${index}`, managedFields: ['x'.repeat(100_000)] },
        'azure.keyvault.injector/objects',
        250_000,
      )
    const namespace = () => ['{"metadata":{"name":"shop","labels":{"azure.keyvault.injector/injection":"enabled"}}}']
    const api = await startApiServer(t, {
      ...calm,
      '/api/v1/namespaces': { count: 1, object: namespace },
      '/api/v1/pods': { count: 300, object: pod },
    })
    const webhook = await start(t, api, { AUDIT_SECONDS: '0.2' })
    const missed = async () => (await webhook.get('/metrics')).body.includes('missed_pods{reason="no-label"} 300')
    await until('the audit counts them', missed)
    await survives(t, webhook, api)
  },
)
