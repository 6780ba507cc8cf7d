import t from 'tap'
import { DEFAULT_LIFETIMES, startCertificates } from '../../certs/self-managed.ts'
import { createKubernetesStore } from '../../certs/kubernetes-store.ts'
import { startApiServer } from './api-server.ts'
import { broken, disagreement, endAll } from './model-rules.ts'
import { CertificateModel } from './model.ts'
import { verifies } from '../support/openssl.ts'
import { until } from '../support/until.ts'

const SECRET = '/api/v1/namespaces/system/secrets/certificates'
const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector'
const NAME = 'hook.system.svc'
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

void t.test('certificate model: nine years with the default lifetimes pass without a gap', async (t) => {
  const model = new CertificateModel(3, DEFAULT_LIFETIMES)
  const { authorityMs: life } = DEFAULT_LIFETIMES
  const counts = new Set<number>()
  const segments = new Set<string | undefined>()
  const steps = new Map<string, number>()
  await model.pass(MINUTE)
  for (const end = model.now + 9 * life; model.now < end;) {
    await model.pass(7 * DAY, 12 * HOUR)
    model.kill(model.replicas[0]!)
    model.start()
    await model.pass(2 * MINUTE)
    const problem = broken(model, { lag: true }) ?? disagreement(model)
    if (problem) return t.fail(`${new Date(model.now).toISOString()}: ${problem}`)
    counts.add(model.trusted.size)
    segments.add(model.calls[0]?.segment)
  }
  for (const event of model.events) if (event.type === 'step') steps.set(event.step, (steps.get(event.step) ?? 0) + 1)
  // The first one, and a new one every 243 days: after two thirds of a year.
  t.equal(steps.get('create-authority'), 14)
  t.equal(steps.get('drop-authorities'), 13)
  t.strictSame([...counts].toSorted(), [1, 2])
  t.equal(segments.size, 14, 'each authority brings a path segment of its own')
  t.equal(steps.get('drop-segments'), 13)
  await endAll(model)
})

void t.test('certificate model: OpenSSL accepts every change of a year and a half', async (t) => {
  const api = await startApiServer()
  t.teardown(() => api.close())
  api.put(SECRET, { kind: 'Secret' })
  const webhooks = [{ name: 'enabled', clientConfig: { service: { namespace: 'system', name: 'hook' } } }]
  const livePath = () => api.objects.get(CONFIGURATION)!.webhooks![0]!.clientConfig.service!.path!
  api.put(CONFIGURATION, { kind: 'MutatingWebhookConfiguration', webhooks })
  const liveBundle = () =>
    Buffer.from(api.objects.get(CONFIGURATION)!.webhooks![0]!.clientConfig.caBundle!, 'base64').toString()
  const directory = t.testdir()
  let now = Date.parse('2030-01-01T00:00:00Z')
  let sleeper: { at: number; wake: () => void } | undefined
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const services = { names: ['hook'], namespace: 'system' } as const
  const cluster = createKubernetesStore({
    api: api.client,
    services,
    secretName: 'certificates',
    mutating: ['injector'],
    pathOf: () => '/mutate',
    log: silent,
  })
  const certificates = startCertificates({
    cluster: { ...cluster, watch: () => () => undefined },
    services,
    lifetimes: { authorityMs: 300 * DAY, leafMs: 100 * DAY, propagationMs: 60_000 },
    log: silent,
    clock: {
      now: () => now,
      wait: (pause, signal) =>
        new Promise((resolve) => {
          sleeper = { at: now + pause, wake: resolve }
          signal.addEventListener('abort', () => resolve())
        }),
    },
  })
  t.teardown(() => certificates.close())
  const seen = new Set<string>()
  const bundles = new Set<string>()
  const paths = new Set<string>()
  for (const end = now + 520 * DAY; now < end; now += DAY) {
    await until('the loop sleeps', () => sleeper !== undefined, { intervalMs: 1 })
    const leaf = String(certificates.tlsOptions().cert)
    const bundle = liveBundle()
    if (!seen.has(leaf + bundle))
      t.ok(verifies(directory, { leaf, bundle, name: NAME, at: now }), new Date(now).toISOString())
    if (!certificates.readiness().ready) t.fail(`${new Date(now).toISOString()}: ${certificates.readiness().reason}`)
    if (!certificates.segments?.('/mutate').some((segment) => livePath() === `/${segment}/mutate`))
      t.fail(`${livePath()} is rejected`)
    paths.add(livePath())
    seen.add(leaf + bundle)
    bundles.add(bundle)
    const { wake } = sleeper!
    sleeper = undefined
    wake()
  }
  t.strictSame(
    [...bundles].map((bundle) => bundle.split('BEGIN CERTIFICATE').length - 1),
    [1, 2, 1, 2, 1],
    'two new authorities, each beside the old one for a while',
  )
  t.equal(paths.size, 3, 'and two new paths')
})
