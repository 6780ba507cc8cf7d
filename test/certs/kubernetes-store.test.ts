import t, { type Test } from 'tap'
import type { WallClock } from '../../shared/clock.ts'
import { messageOf } from '../../shared/errors.ts'
import { createKubernetesStore } from '../../certs/kubernetes-store.ts'
import { startApiServer, type ApiServer } from './api-server.ts'
import { until } from '../support/until.ts'

const SECRET = '/api/v1/namespaces/system/secrets/certificates'
const MUTATING = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector'
const VALIDATING = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/injector'

const encode = (text: string) => Buffer.from(text).toString('base64')
const segment = 'ab'.repeat(16)
const webhook = (name: string, service: string, caBundle?: string, namespace = 'system', path = '/mutate') => ({
  name,
  clientConfig: {
    service: { name: service, namespace, path },
    ...(caBundle && { caBundle: encode(caBundle) }),
  },
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
})

/** Waits are over as soon as something else has had its turn: what is waited for in these tests is the network. */
const impatient: WallClock = { now: Date.now, wait: () => new Promise((resolve) => setImmediate(resolve)) }

async function setUp(t: Test, { requestTimeout = 10_000 } = {}) {
  const api = await startApiServer()
  t.teardown(() => api.close())
  api.put(SECRET, {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { labels: { a: 'b' } },
    data: { other: encode('stays') },
  })
  api.put(MUTATING, {
    kind: 'MutatingWebhookConfiguration',
    webhooks: [
      webhook('enabled', 'hook', 'old'),
      webhook('foreign', 'other', 'theirs'),
      webhook('report', 'hook', undefined, 'system', `/${segment}/mutate`),
      webhook('elsewhere', 'hook', 'theirs', 'other'),
    ],
  })
  const lines: string[] = []
  const log = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const cluster = createKubernetesStore({
    api: api.client,
    services: { names: ['hook'], namespace: 'system' },
    secretName: 'certificates',
    mutating: ['injector'],
    validating: ['injector'],
    log: { info: log, warn: log, error: log },
    clock: impatient,
    requestTimeout,
  })
  return { api, cluster, lines }
}

const version = (api: ApiServer, path: string) => api.objects.get(path)!.metadata.resourceVersion

void t.test(
  'certificate store: reads the Secret, and the webhooks of the injector in the configurations that exist',
  async (t) => {
    const { api, cluster } = await setUp(t)
    t.strictSame(await cluster.read(), {
      secret: { resourceVersion: version(api, SECRET), data: { other: 'stays' } },
      configurations: [
        {
          id: 'MutatingWebhookConfiguration injector',
          uid: api.objects.get(MUTATING)!.metadata.uid,
          resourceVersion: version(api, MUTATING),
          generation: 1,
          webhooks: [
            { name: 'enabled', caBundle: 'old', segment: undefined, path: '/mutate' },
            { name: 'report', caBundle: '', segment, path: '/mutate' },
          ],
        },
      ],
    })
    api.put(VALIDATING, { kind: 'ValidatingWebhookConfiguration', webhooks: [webhook('templates', 'hook')] })
    api.remove(SECRET)
    const { secret, configurations } = await cluster.read()
    t.equal(secret, undefined)
    t.strictSame(
      configurations.map(({ id }) => id),
      ['MutatingWebhookConfiguration injector', 'ValidatingWebhookConfiguration injector'],
    )
    api.put(VALIDATING, { kind: 'ValidatingWebhookConfiguration', webhooks: [webhook('templates', 'other')] })
    t.equal(
      (await cluster.read()).configurations.length,
      1,
      'a configuration without webhooks of the injector does not count',
    )
  },
)

void t.test('certificate store: writes its own keys of the Secret and leaves the others alone', async (t) => {
  const { api, cluster } = await setUp(t)
  const { secret } = await cluster.read()
  t.equal(await cluster.writeSecret(secret!, { 'tls.crt': 'pem' }), true)
  t.match(api.objects.get(SECRET), {
    metadata: { labels: { a: 'b' } },
    data: { other: encode('stays'), 'tls.crt': encode('pem') },
  })
  const after = version(api, SECRET)
  t.equal(await cluster.writeSecret(secret!, { 'tls.crt': 'older' }), false, 'it has changed since it was read')
  t.equal(version(api, SECRET), after)
  api.remove(SECRET)
  t.equal(await cluster.writeSecret(secret!, { 'tls.crt': 'older' }), false, 'it is gone')
})

void t.test('certificate store: a write fails if the Secret changed after the read', async (t) => {
  const { api, cluster } = await setUp(t)
  const { secret } = await cluster.read()
  api.fault = (line) => {
    if (line.startsWith('PUT')) api.put(SECRET, { kind: 'Secret', data: { 'tls.crt': encode('theirs') } })
    return undefined
  }
  t.equal(await cluster.writeSecret(secret!, { 'tls.crt': 'ours' }), false)
  t.equal(api.objects.get(SECRET)!.data!['tls.crt'], encode('theirs'))
})

void t.test(
  "certificate store: patches the caBundle of the injector's own webhooks and leaves the others alone",
  async (t) => {
    const { api, cluster } = await setUp(t)
    api.put(VALIDATING, { kind: 'ValidatingWebhookConfiguration', webhooks: [webhook('templates', 'hook')] })
    const { configurations } = await cluster.read()
    const segments = { enabled: segment, report: segment, templates: segment }
    for (const configuration of configurations)
      t.equal(await cluster.writeBundle(configuration, 'new', segments), true, configuration.id)
    t.strictSame(api.objects.get(MUTATING)!.webhooks, [
      webhook('enabled', 'hook', 'new', 'system', `/${segment}/mutate`),
      webhook('foreign', 'other', 'theirs'),
      webhook('report', 'hook', 'new', 'system', `/${segment}/mutate`),
      webhook('elsewhere', 'hook', 'theirs', 'other'),
    ])
    t.strictSame(api.objects.get(VALIDATING)!.webhooks, [
      webhook('templates', 'hook', 'new', 'system', `/${segment}/mutate`),
    ])
    t.equal(await cluster.writeBundle(configurations[0]!, 'older', {}), false, 'it has changed since it was read')
    api.remove(VALIDATING)
    t.equal(await cluster.writeBundle(configurations[1]!, 'older', {}), false, 'it is gone')
    await t.rejects(cluster.writeBundle({ ...configurations[0]!, id: 'Other x' }, 'new', {}), /not one of/)
  },
)

void t.test("certificate store: errors name the request and the API server's message", async (t) => {
  const { api, cluster } = await setUp(t)
  const { secret, configurations } = await cluster.read()
  const cases: [string, string, () => Promise<unknown>, RegExp][] = [
    [
      'get of a configuration',
      'GET /apis',
      () => cluster.read(),
      /^get MutatingWebhookConfiguration injector: 403 GET .* was refused$/,
    ],
    ['get of the Secret', 'GET /api/v1', () => cluster.read(), /^get Secret system\/certificates: 403/],
    ['update', 'PUT', () => cluster.writeSecret(secret!, {}), /^update Secret system\/certificates: 403/],
    [
      'patch',
      'PATCH',
      () => cluster.writeBundle(configurations[0]!, '', {}),
      /^patch MutatingWebhookConfiguration injector: 403/,
    ],
  ]
  for (const [name, which, act, message] of cases) {
    api.fault = (line) => (line.startsWith(which) ? { status: 403 } : undefined)
    await t.rejects(act(), { message }, name)
  }
})

void t.test('certificate store: a request to an API server that does not answer times out', async (t) => {
  const { api, cluster } = await setUp(t, { requestTimeout: 100 })
  for (const which of ['/api/', '/apis/']) {
    api.fault = (line) => (line.startsWith(`GET ${which}`) ? { hang: true } : undefined)
    const error: unknown = await cluster.read().catch((error: unknown) => error)
    t.match(messageOf(error), /^get .*aborted due to timeout/, which)
  }
})

void t.test('certificate store: watches its own objects by name, and opens broken watches again', async (t) => {
  const { api, cluster, lines } = await setUp(t)
  let calls = 0
  const unwatch = cluster.watch(() => calls++)
  t.teardown(unwatch)
  const called = (count: number) => until('the callback is called', () => calls >= count)
  const watches = [SECRET, MUTATING, VALIDATING].map(
    (path) => `WATCH ${path.replace(/\/[^/]+$/, '')}?metadata.name=${path.split('/').at(-1)}`,
  )

  await called(2)
  t.strictSame(api.requests.toSorted(), watches.toSorted(), 'by name, and nothing is listed')
  await until('3 watches are open', () => api.watches() === 3)
  api.put(SECRET, { kind: 'Secret', data: {} })
  await called(3)
  api.put(VALIDATING, { kind: 'ValidatingWebhookConfiguration', webhooks: [] })
  await called(4)

  api.breakWatches()
  await until(
    'every watch is opened again',
    () => api.watches() === 3 && watches.every((watch) => countOf(api.requests, watch) === 2),
  )
  t.equal(calls, 4, 'a watch that comes back with what was known says nothing')
  api.remove(SECRET)
  await called(5)
  api.put(SECRET, { kind: 'Secret', data: {} })
  await called(6)

  api.fault = () => ({ status: 500 })
  api.breakWatches()
  api.put(SECRET, { kind: 'Secret', data: { missed: '' } })
  await until('the failed watch is logged', () => lines.some((line) => line.includes('500 WATCH')))
  api.fault = () => undefined
  await called(7)

  await until('3 watches are open', () => api.watches() === 3)
  unwatch()
  await until('0 watches are open', () => api.watches() === 0)
})

const countOf = (list: readonly string[], item: string) => list.filter((other) => other === item).length
