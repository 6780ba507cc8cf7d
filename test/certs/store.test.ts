import t, { type Test } from 'tap'
import type { Clock } from '../../certs/clock.ts'
import { reason } from '../../certs/events.ts'
import { kubernetesCertificates } from '../../certs/store.ts'
import { startApiServer, type ApiServer } from './api-server.ts'

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
const impatient: Clock = { now: Date.now, wait: () => new Promise((resolve) => setImmediate(resolve)) }

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
  const cluster = kubernetesCertificates({
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

void t.test('read: the Secret, and our webhooks in the configurations that exist', async (t) => {
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
  t.equal((await cluster.read()).configurations.length, 1, 'one without webhooks of ours does not count')
})

void t.test('the Secret: our keys are written, everything else stays', async (t) => {
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

void t.test('the Secret: a change between our look and our write wins', async (t) => {
  const { api, cluster } = await setUp(t)
  const { secret } = await cluster.read()
  api.fault = (line) => {
    if (line.startsWith('PUT')) api.put(SECRET, { kind: 'Secret', data: { 'tls.crt': encode('theirs') } })
    return undefined
  }
  t.equal(await cluster.writeSecret(secret!, { 'tls.crt': 'ours' }), false)
  t.equal(api.objects.get(SECRET)!.data!['tls.crt'], encode('theirs'))
})

void t.test('a caBundle: our webhooks are patched, everything else stays', async (t) => {
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
})

void t.test('errors say what was asked for and what the API server said', async (t) => {
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

void t.test('an API server that does not answer is not waited for without end', async (t) => {
  const { api, cluster } = await setUp(t, { requestTimeout: 100 })
  for (const which of ['/api/', '/apis/']) {
    api.fault = (line) => (line.startsWith(`GET ${which}`) ? { hang: true } : undefined)
    const error: unknown = await cluster.read().catch((error: unknown) => error)
    t.match(reason(error), /^get .*aborted due to timeout/, which)
  }
})

void t.test('watch', async (t) => {
  const { api, cluster, lines } = await setUp(t)
  let calls = 0
  const unwatch = cluster.watch(() => calls++)
  t.teardown(unwatch)
  const called = (count: number) => until(() => calls >= count)
  const watches = [SECRET, MUTATING, VALIDATING].map(
    (path) => `WATCH ${path.replace(/\/[^/]+$/, '')}?metadata.name=${path.split('/').at(-1)}`,
  )

  await called(2)
  t.strictSame(api.requests.toSorted(), watches.toSorted(), 'by name, and nothing is listed')
  await until(() => api.watches() === 3)
  api.put(SECRET, { kind: 'Secret', data: {} })
  await called(3)
  api.put(VALIDATING, { kind: 'ValidatingWebhookConfiguration', webhooks: [] })
  await called(4)

  api.breakWatches()
  await until(() => api.watches() === 3 && watches.every((watch) => countOf(api.requests, watch) === 2))
  t.equal(calls, 4, 'a watch that comes back with what was known says nothing')
  api.remove(SECRET)
  await called(5)
  api.put(SECRET, { kind: 'Secret', data: {} })
  await called(6)

  api.fault = () => ({ status: 500 })
  api.breakWatches()
  api.put(SECRET, { kind: 'Secret', data: { missed: '' } })
  await until(() => lines.some((line) => line.includes('500 WATCH')))
  api.fault = () => undefined
  await called(7)

  await until(() => api.watches() === 3)
  unwatch()
  await until(() => api.watches() === 0)
})

const countOf = (list: readonly string[], item: string) => list.filter((other) => other === item).length

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
