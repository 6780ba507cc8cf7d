import t from 'tap'
import { annotated } from '../../review-app.ts'
import { clientId, configurationOf, tenantId } from '../../default-configuration.ts'
import {
  classOf,
  clientOfClass,
  here,
  one,
  password,
  podWith,
  settingsOf,
  summary,
  tenantOfClass,
  told,
} from './fixture.ts'

void t.test('SecretProviderClass: the identity of a class takes precedence over that of the pod', async (t) => {
  const pod = podWith('kv', { 'azure.keyvault.injector/tenant-id': 'contoso.onmicrosoft.com' })
  const url = 'https://my-kv.vault.azure.net db-password AzurePublicCloud'
  const cases: [string, Record<string, string | undefined>, object | undefined, string][] = [
    ['the class', {}, undefined, `${url} ${tenantOfClass} ${clientOfClass}`],
    ['the ServiceAccount', { clientID: undefined }, undefined, `${url} ${tenantOfClass} ${clientId}`],
    ['the administrator', { tenantID: undefined }, undefined, `${url} ${tenantId} ${clientOfClass}`],
    ['the pod', { tenantID: undefined, clientID: '' }, pod, `${url} contoso.onmicrosoft.com ${clientId}`],
    ['the older spelling', { tenantID: '', tenantId: 'a.example' }, undefined, `${url} a.example ${clientOfClass}`],
    [
      'the newer of both',
      { tenantID: 'b.example', tenantId: 'a.example' },
      undefined,
      `${url} b.example ${clientOfClass}`,
    ],
    [
      'a government',
      { cloudName: 'AzureUSGovernmentCloud' },
      undefined,
      `https://my-kv.vault.usgovcloudapi.net db-password AzureUSGovernmentCloud ${tenantOfClass} ${clientOfClass}`,
    ],
    [
      'in capitals, by its older name',
      { cloudName: 'AZUREUSGOVERNMENT' },
      undefined,
      `https://my-kv.vault.usgovcloudapi.net db-password AzureUSGovernmentCloud ${tenantOfClass} ${clientOfClass}`,
    ],
    [
      'China',
      { cloudName: 'azurechinacloud' },
      undefined,
      `https://my-kv.vault.azure.cn db-password AzureChinaCloud ${tenantOfClass} ${clientOfClass}`,
    ],
  ]
  for (const [name, parameters, pod, expected] of cases) {
    t.strictSame(summary(settingsOf({ kv: classOf(parameters) }, pod)), [expected], name)
  }
  const ours = configurationOf({
    cloud: 'Ours',
    clouds: { Ours: { authorityHost: 'https://login.ours.example', vaultSuffix: 'kv.ours.example' } },
  })
  for (const cloudName of [undefined, 'ours']) {
    const settings = settingsOf({ kv: classOf({ cloudName }) }, undefined, { configuration: ours })
    t.strictSame(summary(settings), [
      `https://my-kv.kv.ours.example db-password Ours ${tenantOfClass} ${clientOfClass}`,
    ])
    t.strictSame(Object.keys(settings.clouds), ['Ours'])
  }
})

void t.test('SecretProviderClass: a class that names its identity needs none on the ServiceAccount', async (t) => {
  const serviceAccount = { annotations: {} }
  const configuration = configurationOf({ tenantId: undefined })
  t.strictSame(told({ kv: classOf() }, undefined, { serviceAccount, configuration }).problems, [])
  const { problems } = told({ kv: classOf({ clientID: undefined, tenantID: undefined }) }, undefined, {
    serviceAccount,
    configuration,
  })
  t.strictSame(problems, [
    'no-identity: SecretProviderClass "kv": no clientID, and ServiceAccount "default" in namespace "shop" has no annotation azure.workload.identity/client-id, and the pod has no annotation azure.keyvault.injector/client-id: set clientID to that of a workload identity, even if the class was written for another way to sign in, such as a service principal',
    'no-identity: SecretProviderClass "kv": no tenantID, and the administrator\'s configuration has no tenantId, ServiceAccount "default" in namespace "shop" has no annotation azure.workload.identity/tenant-id, and the pod has no annotation azure.keyvault.injector/tenant-id',
  ])
})

void t.test('SecretProviderClass: an identity binding replaces what the class omits', async (t) => {
  const binding = { 'azure.workload.identity/use-identity-binding': 'true' }
  const pod = podWith('kv', binding)
  const identities = (parameters: Record<string, string | undefined>, asking: object = pod) =>
    settingsOf({ kv: classOf(parameters) }, asking).identities
  const bound = { cloud: 'AzurePublicCloud', mode: 'identity-binding' }
  const nobody = { clientID: undefined, tenantID: undefined }
  t.strictSame(identities({ useAzureTokenProxy: 'true', ...nobody }), [bound])
  const named = { tenantId: tenantOfClass, clientId: clientOfClass }
  t.strictSame(identities({ useAzureTokenProxy: 'true' }), [{ ...bound, ...named }])
  t.strictSame(identities({}), [{ ...bound, ...named }], 'the pod has one way to sign in')
  const own = { 'client-id': clientId, 'tenant-id': tenantId }
  t.strictSame(identities(nobody, podWith('kv', { ...binding, ...own })), [{ ...bound, clientId, tenantId }])
})

void t.test("SecretProviderClass: the node's identity is used if the administrator allows it", async (t) => {
  const configuration = configurationOf({ allowNodeIdentity: true })
  const node = { useVMManagedIdentity: 'true', clientID: undefined }
  const cloud = 'AzurePublicCloud'
  const cases: [string, Record<string, string | undefined>, object, ...string[]][] = [
    ["the node's own", node, { cloud, tenantId: tenantOfClass, mode: 'node' }, "the node's own identity"],
    [
      'a user-assigned one',
      { ...node, userAssignedIdentityID: clientOfClass },
      { cloud, tenantId: tenantOfClass, clientId: clientOfClass, mode: 'node' },
      `the node's identity ${clientOfClass}`,
    ],
    ['no tenant', { ...node, tenantID: undefined }, { cloud, mode: 'node' }, "the node's own identity"],
    [
      'a client id too',
      { useVMManagedIdentity: 'true' },
      { cloud, tenantId: tenantOfClass, mode: 'node' },
      "the node's own identity",
      'clientID is ignored with useVMManagedIdentity: userAssignedIdentityID names the identity',
    ],
  ]
  for (const [name, parameters, identity, fetched, ...others] of cases) {
    const asNode = `set clientID in ${here.slice(0, -2)} to sign in with workload identity: its objects are fetched as ${fetched}, which every pod on the node has`
    const warnings = [asNode, ...others.map((text) => here + text)]
    const classes = { kv: classOf(parameters) }
    // Nobody else needs an identity then.
    const around = { configuration, serviceAccount: { annotations: {} } }
    t.strictSame(told(classes, undefined, around), { problems: [], warnings }, name)
    t.ok(warnings.every((text) => text.length <= 256))
    t.strictSame(settingsOf(classes, undefined, around).identities, [identity], name)
  }
  const both = settingsOf(
    {
      kv: classOf({ ...node, userAssignedIdentityID: clientOfClass }),
      pod: classOf(one(...password, 'objectAlias: b')),
    },
    undefined,
    { configuration },
  )
  t.equal(both.identities.length, 2, "the same client id is another's as the pod")
})

void t.test("SecretProviderClass: AD FS is accepted in the administrator's own cloud", async (t) => {
  const hub = {
    authorityHost: 'https://adfs.local.azurestack.external',
    vaultSuffix: 'vault.local.azurestack.external',
    verifyChallengeResource: false,
    apiVersion: '2016-10-01',
  }
  const configuration = configurationOf({ clouds: { AzureStackHub: hub } })
  const settings = settingsOf({ kv: classOf({ tenantID: 'adfs', cloudName: 'azurestackhub' }) }, undefined, {
    configuration,
  })
  t.strictSame(settings.identities, [{ cloud: 'AzureStackHub', tenantId: 'adfs', clientId: clientOfClass }])
  t.strictSame(settings.clouds, { AzureStackHub: hub })
  t.equal(settings.objects[0]?.vault, 'https://my-kv.vault.local.azurestack.external')

  const pod = (annotations: Record<string, string>) =>
    annotated({ vault: 'my-kv', objects: 'db-password', 'tenant-id': 'adfs', ...annotations })
  t.match(settingsOf({}, pod({ cloud: 'AzureStackHub' }), { configuration }).identities, [{ tenantId: 'adfs' }])
  t.match(told({}, pod({}), { configuration }).problems, [/^no-identity: the tenant "adfs" belongs to Azure Stack Hub/])
})
