import t from 'tap'
import { makeAuthority } from '../../emulator/tls.ts'
import { annotated } from '../review-app.ts'
import { configurationOf } from '../default-configuration.ts'
import { problemsOf } from '../review/sentences.ts'
import { injected, sidecarOf } from '../review/injected.ts'

void t.test("clouds: the settings contain the pod's own cloud, with its certificates", async (t) => {
  const [pem, house] = [makeAuthority().ca, makeAuthority().ca]
  const lab = { authorityHost: 'https://login.lab', vaultSuffix: 'vault.lab', caCertificates: pem }
  const configuration = configurationOf({
    cloud: 'Lab',
    clouds: { Lab: lab },
    caCertificates: house,
  })
  const decision = injected(annotated(), { configuration })
  t.strictSame(decision.settings.clouds, { Lab: { ...lab, caCertificates: `${pem}\n${house}` } })
  t.equal(decision.settings.objects[0]?.vault, 'https://my-kv.vault.lab')
  t.match(sidecarOf(decision).env, [{}, {}, {}, {}, { name: 'AZURE_AUTHORITY_HOST', value: 'https://login.lab/' }])
  const back = injected(annotated({ cloud: 'AzurePublicCloud' }), { configuration })
  t.strictSame(Object.keys(back.settings.clouds), ['AzurePublicCloud'], 'a pod may name another one')
})

void t.test('vault rules: a vault outside the rules of the namespace is denied', async (t) => {
  const vaultOf = (vault: string, vaults: object[]) =>
    injected(annotated({ vault }), { configuration: configurationOf({ vaults }) }).settings.objects[0]?.vault
  const everywhere = { namespaces: ['*'] }
  t.equal(vaultOf('My-KV', [{ namespaces: ['sh*'], vaults: ['my-*'] }]), 'https://my-kv.vault.azure.net')
  t.equal(
    vaultOf('https://my-kv.vault.azure.net/', [{ ...everywhere, vaults: ['my-kv'] }]),
    'https://my-kv.vault.azure.net',
  )
  t.equal(
    vaultOf('https://kv.example.org:8443', [{ ...everywhere, vaults: ['https://*.example.org:8443'] }]),
    'https://kv.example.org:8443',
  )
  t.equal(
    vaultOf('my-kv', [{ ...everywhere, vaults: ['https://my-kv.vault.azure.net'] }]),
    'https://my-kv.vault.azure.net',
  )
  t.equal(
    vaultOf('my-kv', [{ namespaces: ['other', 'shop'], vaults: ['x', 'MY-KV'] }]),
    'https://my-kv.vault.azure.net',
    'one namespace and one vault of several',
  )

  const ends = configurationOf({ vaults: [{ ...everywhere, vaults: ['kv'] }] })
  t.match(problemsOf(annotated(), { configuration: ends }), [/^vault-not-allowed: /], 'a rule means a whole name')
  const homeless = { labels: annotated().metadata.labels, annotations: { 'azure.keyvault.injector/objects': 'a,b,c' } }
  t.match(problemsOf({ ...annotated(), metadata: homeless }), [
    /^no-vault: no vault for secret a, secret b, secret c: /,
  ])

  // A name of several labels is another vault's host, although it ends as those of the cloud.
  const elsewhere = [
    'https://a.b.vault.azure.net',
    'https://my-kv.vault.azure.net.example.org',
    'https://my-kv.vault.azure.net:8443',
  ]
  for (const vault of elsewhere) {
    t.match(problemsOf(annotated({ vault })), [/^vault-not-allowed: /], `${vault} without rules`)
    const rules = configurationOf({ vaults: [{ ...everywhere, vaults: ['*', 'https://*.vault.azure.net'] }] })
    t.match(
      problemsOf(annotated({ vault }), { configuration: rules }),
      [/^vault-not-allowed: /],
      `${vault} with rules about vaults of the cloud`,
    )
  }
})
