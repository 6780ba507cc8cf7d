import t from 'tap'
import { DEFAULT_LIFETIMES, startCertificates } from '../../certs/manager.ts'
import { kubernetesCertificates } from '../../certs/store.ts'
import { startApiServer } from './api-server.ts'
import { broken, disagreement, endAll } from './model-rules.ts'
import { World } from './model.ts'
import { verifies } from './openssl.ts'

const SECRET = '/api/v1/namespaces/system/secrets/certificates'
const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector'
const NAME = 'hook.system.svc'
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

void t.test('nine years with the default lifetimes', async (t) => {
  const world = new World(3, DEFAULT_LIFETIMES)
  const { authority: life } = DEFAULT_LIFETIMES
  const counts = new Set<number>()
  const segments = new Set<string | undefined>()
  const steps = new Map<string, number>()
  await world.pass(MINUTE)
  for (const end = world.now + 9 * life; world.now < end;) {
    await world.pass(7 * DAY, 12 * HOUR)
    world.kill(world.replicas[0]!)
    world.start()
    await world.pass(2 * MINUTE)
    const problem = broken(world, { lag: true }) ?? disagreement(world)
    if (problem) return t.fail(`${new Date(world.now).toISOString()}: ${problem}`)
    counts.add(world.trusted.size)
    segments.add(world.calls[0]?.segment)
  }
  for (const event of world.events) if (event.type === 'step') steps.set(event.step, (steps.get(event.step) ?? 0) + 1)
  // The first one, and a new one every 243 days: after two thirds of a year.
  t.equal(steps.get('create-authority'), 14)
  t.equal(steps.get('drop-authorities'), 13)
  t.strictSame([...counts].toSorted(), [1, 2])
  t.equal(segments.size, 14, 'each authority brings a path segment of its own')
  t.equal(steps.get('drop-segments'), 13)
  await endAll(world)
})

void t.test('a year and a half with OpenSSL as the judge of every change', async (t) => {
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
  const cluster = kubernetesCertificates({
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
    lifetimes: { authority: 300 * DAY, leaf: 100 * DAY, settle: 60_000 },
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
    await until(() => sleeper !== undefined)
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

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
