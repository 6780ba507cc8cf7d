import t from 'tap'
import { objectsOf, planClass, type ClassPlan } from '../../sync/plan.ts'
import { syncAdoptAnnotation, syncAsAnnotation, syncRetainAnnotation } from '../../sync/names.ts'
import { configurationOf } from '../webhook/default-configuration.ts'
import { classOf, opaque, secretObject, specOf, tls } from './fixture.ts'

const account = { annotations: { 'azure.workload.identity/client-id': '44444444-4444-4444-4444-444444444444' } }
const prefix = 'azure.keyvault.injector/'
const planOf = (spec: unknown, annotations: Record<string, string> = {}, file: object = {}) =>
  planClass(classOf(spec, annotations), account, configurationOf(file))
function planned(...args: Parameters<typeof planOf>): ClassPlan {
  const plan = planOf(...args)
  if (!plan.ok) throw new Error(plan.problems.join('\n'))
  return plan.value
}
const problemsOf = (...args: Parameters<typeof planOf>): string[] => {
  const plan = planOf(...args)
  return plan.ok ? plan.value.problems : plan.problems
}
const one = (...more: string[]) =>
  specOf([secretObject('db-password', ...more)], [opaque('db', { password: 'db-password' })])

void t.test('sync plan: a class gives the objects of its Secrets, its identity and its vault', async (t) => {
  const spec = specOf(
    [secretObject('db-password'), secretObject('web-tls', 'objectAlias: web.pem'), secretObject('unused')],
    [opaque('db', { password: 'db-password' }), tls('web', 'web.pem')],
  )
  const plan = planned(spec)
  t.strictSame(
    plan.objects.map(({ name, path, split, identity }) => [name, path, split, identity]),
    [
      ['db-password', 'db-password', false, 0],
      ['web-tls', 'web.pem', false, 0],
    ],
    'an object that no Secret contains is not read',
  )
  t.match(plan, {
    vault: 'https://my-kv.vault.azure.net',
    audience: 'api://AzureADTokenExchange',
    pollInterval: 120_000,
    problems: [],
    identities: [
      { clientId: '44444444-4444-4444-4444-444444444444', tenantId: '55555555-5555-5555-5555-555555555555' },
    ],
  })
  t.strictSame(
    plan.secrets.map((secret) => objectsOf(secret, plan)),
    [[0], [1]],
  )
})

void t.test('sync plan: client and tenant ID of the ServiceAccount apply if the class has none', async (t) => {
  const plan = planned(specOf([secretObject('p')], [opaque('db', { p: 'p' })], 'my-kv', { clientID: '', tenantId: '' }))
  t.match(plan.identities, [{ clientId: account.annotations['azure.workload.identity/client-id'], tenantId: /^2222/ }])
})

void t.test(
  'sync plan: annotations of the class set the interval, templates, and what becomes of its Secrets',
  async (t) => {
    const spec = specOf(
      [secretObject('user'), secretObject('password')],
      [
        {
          secretName: 'pull',
          type: 'kubernetes.io/dockerconfigjson',
          data: [{ key: '.dockerconfigjson', objectName: 'login' }],
        },
      ],
    )
    const plan = planned(spec, {
      [syncRetainAnnotation]: 'true',
      [syncAdoptAnnotation]: 'csi',
      [`${prefix}poll-interval`]: '10m',
      [`${prefix}template-login`]: '{"auths":{"r":{"password":{{ secrets.password | json }}}}}',
    })
    t.match(plan, { pollInterval: 600_000, options: { retain: true, adopt: true, serviceAccount: 'web-sync' } })
    t.strictSame(objectsOf(plan.secrets[0]!, plan), [0, 1], 'a template may refer to every object')
  },
)

void t.test('sync plan: a file of a history and the audience of a cloud', async (t) => {
  const spec = specOf([secretObject('p', 'objectVersionHistory: 2')], [opaque('db', { now: 'p/0', before: 'p/1' })])
  t.strictSame(planned(spec).problems, [])
  const clouds = {
    Own: { authorityHost: 'https://login.own.example', vaultSuffix: 'vault.own.example', tokenAudience: 'own' },
  }
  t.match(planned(one(), { [`${prefix}cloud`]: 'Own' }, { clouds }), {
    audience: 'own',
    vault: 'https://my-kv.vault.own.example',
  })
})

const bad: Record<string, [args: Parameters<typeof planOf>, problem: RegExp]> = {
  'no ServiceAccount': [[one(), { [syncAsAnnotation]: 'a/b' }], /expected the name of a ServiceAccount/],
  'sync-retain': [[one(), { [syncRetainAnnotation]: 'yes' }], /expected "true" or "false"/],
  'sync-adopt': [[one(), { [syncAdoptAnnotation]: 'eso' }], /expected "csi"/],
  'an annotation for pods': [[one(), { [`${prefix}signal`]: 'SIGHUP' }], /no meaning on a SecretProviderClass/],
  'an interval below the bound': [[one(), { [`${prefix}poll-interval`]: '1s' }], /poll-interval.*30s/],
  'a vault of another namespace': [
    [one(), {}, { vaults: [{ namespaces: ['other'], vaults: ['my-kv'] }] }],
    /not among those that namespace "shop" may use/,
  ],
  'a typo in objectName': [
    [specOf([secretObject('p')], [opaque('db', { p: 'q' })])],
    /Secret db: the class has no object or template q/,
  ],
  'the identity of the node': [
    [
      specOf([secretObject('p')], [opaque('db', { p: 'p' })], 'my-kv', { useVMManagedIdentity: 'true' }),
      {},
      { allowNodeIdentity: true },
    ],
    /only with the client ID of a ServiceAccount/,
  ],
  'an identity binding': [
    [specOf([secretObject('p')], [opaque('db', { p: 'p' })], 'my-kv', { useAzureTokenProxy: 'true' })],
    /useAzureTokenProxy/,
  ],
  'another provider': [[{ ...one(), provider: 'vault' }], /only "azure"/],
  'a template that names nothing': [
    [one(), { [`${prefix}template-x`]: '{{ secrets.nothing }}' }],
    /template "x", line 1/,
  ],
  'a template in the way of an object': [[one(), { [`${prefix}template-db-password`]: 'x' }], /another path/],
  'too many versions': [
    [
      specOf(
        [0, 1, 2, 3, 4, 5].map((index) => secretObject(`p-${index}`, 'objectVersionHistory: 100')),
        [opaque('db', Object.fromEntries([0, 1, 2, 3, 4, 5].map((index) => [`k-${index}`, `p-${index}/0`])))],
      ),
    ],
    /600 versions of objects are more than a class may have, 500/,
  ],
  'too many templates': [
    [one(), Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`${prefix}template-${index}`, 'x']))],
    /21 templates are more than a class may have, 20/,
  ],
}

for (const [what, [args, problem]] of Object.entries(bad))
  void t.test(`sync plan: ${what} is refused`, async (t) => {
    t.match(problemsOf(...args).join('\n'), problem)
  })

void t.test('sync plan: one Secret that cannot be written does not hold back another', async (t) => {
  const plan = planned(specOf([secretObject('p')], [opaque('bad', { p: 'q' }), opaque('db', { p: 'p' })]))
  t.match(plan, { secrets: [{ name: 'db' }], problems: [/Secret bad/] })
})
