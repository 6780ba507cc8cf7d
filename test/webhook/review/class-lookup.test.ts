import t, { type Test } from 'tap'
import type { Cluster } from '../../../webhook/cluster/cluster.ts'
import type { FoundClass } from '../../../webhook/plan/secret-provider-class/found-class.ts'
import { annotated, appFor, cluster, reviewOf } from '../review-app.ts'
import { clientId, configurationOf } from '../default-configuration.ts'

const spec = (alias: string) => ({
  provider: 'azure',
  parameters: {
    keyvaultName: 'my-kv',
    clientID: clientId,
    objects: `array:\n- "{objectName: a, objectType: secret, objectAlias: ${alias}}"`,
  },
})

async function review(
  t: Test,
  lookup: Cluster['secretProviderClass'],
  pod: object,
  changes: Partial<Cluster> = {},
  file: object = {},
) {
  const asked: string[] = []
  const { server, decided } = appFor(t, {
    configuration: () => configurationOf(file),
    cluster: cluster({
      secretProviderClass(namespace, name, options) {
        asked.push(`${namespace}/${name}${options?.live ? ' live' : ''}`)
        return lookup(namespace, name, options)
      },
      ...changes,
    }),
  })
  // Where `/mutate` would leave it to this one.
  const response = await server.inject({ method: 'POST', url: '/standby', payload: reviewOf(pod) })
  const decision = decided[0]?.decision
  const paths = decision?.kind === 'inject' ? decision.settings.objects.map(({ path }) => path) : []
  const { status } = (JSON.parse(response.body) as { response: { status?: { message: string } } }).response
  return { asked, paths, message: status?.message ?? '' }
}

const podOf = (annotations: Record<string, string>) => ({
  ...annotated(),
  metadata: {
    ...annotated().metadata,
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [`azure.keyvault.injector/${name}`, value]),
    ),
  },
})
const always = (value: FoundClass, cached: boolean) => () => Promise.resolve({ value, cached })

void t.test('class look-up: a valid class in the cache is read once', async (t) => {
  const { asked, paths } = await review(t, always({ spec: spec('x') }, true), podOf({ 'secret-provider-class': 'kv' }))
  t.strictSame({ asked, paths }, { asked: ['shop/kv'], paths: ['x'] })
})

void t.test('class look-up: before a denial the class is read live', async (t) => {
  const pod = podOf({ 'secret-provider-class': 'kv' })
  // Nothing but the class comes from a cache.
  const others: Partial<Cluster> = {
    namespace: async (name) => ({ value: { name, labels: {}, annotations: {} }, cached: false }),
    serviceAccount: async () => ({ value: { annotations: {} }, cached: false }),
    limitRanges: async () => ({ value: [], cached: false }),
  }
  const corrected = await review(
    t,
    async (_namespace, _name, options) => ({
      value: { spec: spec(options?.live ? 'x' : '/x') },
      cached: !options?.live,
    }),
    pod,
    others,
  )
  t.strictSame({ asked: corrected.asked, paths: corrected.paths }, { asked: ['shop/kv', 'shop/kv live'], paths: ['x'] })
  const { message } = await review(t, always('absent', false), pod)
  t.match(message, /^pod app-1 in namespace shop: there is no SecretProviderClass "kv" in namespace "shop": /)
})

void t.test(
  'class look-up: the denial of a class that is too large says how large it may be and what to do',
  async (t) => {
    const { message } = await review(t, always('too-large', false), podOf({ 'secret-provider-class': 'kv' }))
    const classes = 'azure.keyvault.injector/secret-provider-class'
    const what = 'SecretProviderClass "kv": the spec is larger than 256 KiB'
    const remedy = `split its objects into several classes, and name all of them in the annotation ${classes}`
    t.equal(message, `pod app-1 in namespace shop: ${what}: ${remedy} (docs: troubleshooting.md#secret-provider-class)`)
  },
)

void t.test(
  'class look-up: Namespace and administrator may name classes for pods that request injection',
  async (t) => {
    const pod = podOf({ vault: 'my-kv', objects: 'db-password' })
    const namespace: Cluster['namespace'] = async (name) => ({
      value: { name, labels: {}, annotations: { 'azure.keyvault.injector/secret-provider-class': 'theirs' } },
      cached: false,
    })
    const found = always({ spec: spec('x') }, true)
    const byNamespace = await review(t, found, pod, { namespace }, { defaults: { 'secret-provider-class': 'admins' } })
    t.strictSame(byNamespace, { asked: ['shop/theirs'], paths: ['db-password', 'x'], message: '' })
    const byAdministrator = await review(t, found, pod, {}, { defaults: { 'secret-provider-class': 'admins' } })
    t.strictSame(byAdministrator, { asked: ['shop/admins'], paths: ['db-password', 'x'], message: '' })
  },
)

void t.test('class look-up: an invalid name is not looked up', async (t) => {
  const names = Array.from({ length: 21 }, (_, index) => `kv-${index}`).join()
  for (const value of ['../secrets', 'A', names]) {
    const { asked, message } = await review(t, always('absent', false), podOf({ 'secret-provider-class': value }))
    t.strictSame(asked, [])
    t.match(message, /secret-provider-class/)
  }
})

void t.test('class look-up: a failing API server is the reason of the denial', async (t) => {
  const failing = () => Promise.reject(new Error('GET /apis/...: 403 forbidden'))
  const { message } = await review(t, failing, podOf({ 'secret-provider-class': 'kv' }))
  t.match(
    message,
    'akv-injector could not read what the decision depends on: GET /apis/...: 403 forbidden; this usually passes',
  )
})

void t.test('class look-up: the denial of an absent class suggests a class of the namespace', async (t) => {
  const absent = () => Promise.resolve({ value: 'absent' as const, cached: false, known: ['web-kvs', 'other'] })
  const { message } = await review(t, absent, podOf({ 'secret-provider-class': 'web-kv' }))
  t.match(message, /there is no SecretProviderClass "web-kv" in namespace "shop" \(did you mean "web-kvs"\?\): /)
})
