import t from 'tap'
import { annotated } from '../review-app.ts'
import { clientId, configurationOf } from '../default-configuration.ts'
import { problemsOf } from '../review/sentences.ts'
import { injected } from '../review/injected.ts'

void t.test('identity: pod takes precedence over ServiceAccount, and that over the administrator', async (t) => {
  const account = {
    annotations: {
      'azure.workload.identity/client-id': ` ${'9'.repeat(8)}-9999-9999-9999-${'9'.repeat(12)}\n`,
      'azure.workload.identity/tenant-id': ' tenant-of-account\n',
    },
  }
  const own = '12345678-1234-1234-1234-123456789012'
  const [identity] = injected(annotated({ 'client-id': own }), { serviceAccount: account }).settings.identities
  t.strictSame(identity, { cloud: 'AzurePublicCloud', tenantId: 'tenant-of-account', clientId: own })
  const [other] = injected(annotated(), { serviceAccount: account }).settings.identities
  t.strictSame(
    other,
    { cloud: 'AzurePublicCloud', tenantId: 'tenant-of-account', clientId: '99999999-9999-9999-9999-999999999999' },
    'blanks around an id are no part of it',
  )
  const withId = { annotations: { 'azure.workload.identity/client-id': own } }
  t.equal(
    injected(annotated(), { serviceAccount: withId }).settings.identities[0]?.tenantId,
    configurationOf().tenantId,
  )

  const expiration = 'azure.workload.identity/service-account-token-expiration'
  const lasting = { annotations: { ...account.annotations, [expiration]: '7200' } }
  const secondsOf = (pod: object) =>
    /"expirationSeconds":(\d+)/.exec(JSON.stringify(injected(pod, { serviceAccount: lasting }).pod))?.[1]
  t.equal(secondsOf(annotated()), '7200', "the token's life too")
  t.equal(secondsOf(annotated({ [expiration]: '4000' })), '4000')
  t.equal(secondsOf(annotated({ [expiration]: '86400' })), '86400')
  t.equal(secondsOf(annotated({ [expiration]: '86401' })), '3600')
})

void t.test('identity: an ID of the ServiceAccount is checked like that of a pod or class', async (t) => {
  const resource = '/subscriptions/0/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/web'
  const account = (name: string, text: string) => ({
    serviceAccount: {
      annotations: { 'azure.workload.identity/client-id': clientId, [`azure.workload.identity/${name}`]: text },
    },
  })
  const where = 'ServiceAccount "default" in namespace "shop": annotation azure.workload.identity'
  const guid = 'expected a GUID such as 00000000-0000-0000-0000-000000000000'
  for (const text of [resource, 'web', `${clientId} x`]) {
    const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
    t.strictSame(problemsOf(annotated(), account('client-id', text)), [
      `no-identity: ${where}/client-id ${shown}: ${guid}`,
    ])
  }
  t.strictSame(problemsOf(annotated(), account('tenant-id', 'a b')), [
    `no-identity: ${where}/tenant-id "a b": expected the ID or the domain of a tenant`,
  ])
  t.strictSame(
    problemsOf(annotated({ 'client-id': clientId }), account('client-id', 'web')),
    ['inject'],
    'one that is not used is not looked at',
  )
  const missing = problemsOf(annotated(), account('client-id', ' \n'))
  t.match(missing, [/^no-identity: no client ID: /], 'a blank one is missing')

  const classOf = (parameters: object) =>
    new Map([
      [
        'kv',
        {
          spec: {
            provider: 'azure',
            parameters: {
              keyvaultName: 'my-kv',
              objects: 'array:\n  - |\n    objectName: c\n    objectType: secret',
              ...parameters,
            },
          },
        },
      ],
    ])
  const { metadata, spec } = annotated({ 'secret-provider-class': 'kv' })
  const { ['azure.keyvault.injector/objects']: _, ...annotations } = metadata.annotations as Record<string, string>
  const pod = { metadata: { ...metadata, annotations }, spec }
  const around = account('client-id', 'web')
  t.strictSame(problemsOf(pod, { ...around, secretProviderClasses: classOf({}) }), [
    `no-identity: SecretProviderClass "kv": ${where}/client-id "web": ${guid}`,
  ])
  t.strictSame(problemsOf(pod, { ...around, secretProviderClasses: classOf({ clientID: ` ${clientId} ` }) }), [
    'inject',
  ])
})
