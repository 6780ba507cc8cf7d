import t from 'tap'
import { clientId, configurationOf, tenantId } from '../../default-configuration.ts'
import {
  array,
  classOf,
  clientOfClass,
  filesOf,
  password,
  podWith,
  settingsOf,
  summary,
  tenantOfClass,
  told,
} from './fixture.ts'

void t.test('SecretProviderClass: classes and objects add up, each with its own vault and identity', async (t) => {
  const classes = {
    a: classOf({ objects: array([...password, 'objectAlias: a']) }),
    'b.example': classOf({
      keyvaultName: 'other-kv',
      clientID: undefined,
      objects: array([...password, 'objectAlias: b']),
    }),
  }
  const pod = podWith(' a,\nb.example ', { vault: 'my-kv', objects: 'db-password, key/signing' })
  const settings = settingsOf(classes, pod)
  t.strictSame(summary(settings), [
    `https://my-kv.vault.azure.net db-password AzurePublicCloud ${tenantId} ${clientId}`,
    `https://my-kv.vault.azure.net signing AzurePublicCloud ${tenantId} ${clientId}`,
    `https://my-kv.vault.azure.net db-password AzurePublicCloud ${tenantOfClass} ${clientOfClass}`,
    `https://other-kv.vault.azure.net db-password AzurePublicCloud ${tenantOfClass} ${clientId}`,
  ])
  t.equal(settings.identities.length, 3)
  t.strictSame(Object.keys(await filesOf(settings)), ['db-password', 'signing', 'a', 'b'])
  const clash = told(classes, podWith('a', { vault: 'my-kv', objects: 'db-password=a' })).problems
  t.strictSame(clash, [
    'bad-annotation: secret db-password of SecretProviderClass "a" and secret db-password are both written to "a"; give one of them another path',
  ])
})

void t.test("SecretProviderClass: the administrator's rules apply to classes too", async (t) => {
  const configuration = configurationOf({ vaults: [{ namespaces: ['shop'], vaults: ['other-*'] }] })
  const { problems } = told({ kv: classOf() }, undefined, { configuration })
  t.strictSame(problems, [
    'vault-not-allowed: SecretProviderClass "kv": vault "my-kv" is not among those that namespace "shop" may use: ask the administrator for a rule under vaults in the injector\'s configuration (ConfigMap akv-injector-configuration)',
  ])
  const forbidden = configurationOf({ annotations: { forbidden: ['secret-provider-class'] } })
  t.match(told({ kv: classOf() }, undefined, { configuration: forbidden }).problems, [
    'not-allowed: annotation azure.keyvault.injector/secret-provider-class is forbidden by annotations.forbidden',
  ])
})

void t.test('SecretProviderClass: problems of a class hide no other problem', async (t) => {
  const configuration = configurationOf({
    tenantId: undefined,
    vaults: [{ namespaces: ['shop'], vaults: ['other-*'] }],
  })
  const around = { configuration, serviceAccount: { annotations: {} } }
  const texts = {
    'azure.keyvault.injector/template-a': '{{ secrets["db-password"] }}{{ secrets.x }}',
    'azure.keyvault.injector/template-db-password': 'x',
  }
  const clash = /^bad-annotation: template "db-password" and secret db-password of SecretProviderClass "kv" are both/
  const unknown = /^bad-annotation: template "a", line 1: there is no secrets\["x"\]/
  const denied = /^vault-not-allowed: SecretProviderClass "kv": vault "my-kv" is not among/
  const nobody = [/^no-identity: SecretProviderClass "kv": no clientID/, /^no-identity: .* no tenantID/]
  const unsaid = { clientID: undefined, tenantID: undefined }
  const cases: [string, Record<string, string | undefined>, Record<string, string>, RegExp[]][] = [
    ['its cloud', { cloudName: 'Moon', ...unsaid }, {}, [clash, unknown, denied, /: cloudName "Moon": /, ...nobody]],
    [
      "the pod's cloud",
      unsaid,
      { 'azure.keyvault.injector/cloud': 'Moon' },
      [/cloud: there is no cloud "Moon"/, clash, unknown, denied, ...nobody],
    ],
    [
      'AD FS in a cloud that is unknown',
      { cloudName: 'Moon', tenantID: 'adfs' },
      {},
      [clash, unknown, denied, /: cloudName "Moon": /],
    ],
    [
      "a cloud of its own, and the pod's",
      { cloudName: 'AzureChinaCloud', tenantID: 'adfs' },
      { 'azure.keyvault.injector/cloud': 'Moon' },
      [
        /cloud: there is no cloud "Moon"/,
        clash,
        unknown,
        denied,
        /"adfs" .*https:\/\/login.chinacloudapi.cn does not have/,
      ],
    ],
    [
      'an object',
      { objects: array(password, 'objectName: b'), ...unsaid },
      {},
      [denied, /objectType is required/, ...nobody],
    ],
    [
      'a parameter that the identity rests on',
      { clientID: 'x', tenantID: undefined },
      {},
      [clash, unknown, denied, /: clientID "x": /, /^no-identity: .* no tenantID/],
    ],
    [
      "the node's identity",
      { useVMManagedIdentity: 'true', clientID: undefined },
      {},
      [clash, unknown, denied, /: useVMManagedIdentity: /],
    ],
  ]
  for (const [name, parameters, annotations, expected] of cases) {
    const { problems } = told({ kv: classOf(parameters) }, podWith('kv', { ...texts, ...annotations }), around)
    t.match(problems, expected, name)
    t.equal(problems.length, expected.length, `${name}: and nothing else`)
  }
})

void t.test('SecretProviderClass: an invalid name of a class is rejected', async (t) => {
  t.strictSame(told({}, podWith('Web, a b')).problems, [
    'bad-annotation: annotation azure.keyvault.injector/secret-provider-class "Web, a b": "Web" is not a name of SecretProviderClasses',
    'bad-annotation: annotation azure.keyvault.injector/secret-provider-class "Web, a b": "a b" is not a name of SecretProviderClasses',
  ])
})
