import t from 'tap'
import { Check } from 'typebox/value'
import { Cloud } from '../../../shared/clouds/schema.ts'
import { builtInClouds, isVaultName, vaultUrl } from '../../../shared/clouds/clouds.ts'
import { fail, ok } from '../../../shared/result.ts'

const azure = builtInClouds['AzurePublicCloud'] as Cloud
const own: Cloud = { authorityHost: 'https://login.example', vaultSuffix: 'keys.svc.cluster.local' }

void t.test('clouds: the built-in clouds are the public ones', async (t) => {
  for (const cloud of Object.values(builtInClouds)) t.ok(Check(Cloud, cloud))
  t.strictSame(
    Object.values(builtInClouds).map(({ vaultSuffix }) => vaultSuffix),
    ['vault.azure.net', 'vault.usgovcloudapi.net', 'vault.azure.cn'],
  )
})

void t.test('clouds: a vault name is 3 to 24 letters, digits and dashes', async (t) => {
  for (const name of ['abc', 'my-kv', 'A'.repeat(24), '123']) t.ok(isVaultName(name), name)
  for (const name of ['', 'ab', 'a'.repeat(25), 'my_kv', 'my.kv', 'mÿ-kv', 'my-kv\n']) t.notOk(isVaultName(name), name)
})

const right: [name: string, vault: string, cloud: Cloud, url: string][] = [
  ['a name', 'my-kv', azure, 'https://my-kv.vault.azure.net'],
  ['a name in capitals', 'My-KV', azure, 'https://my-kv.vault.azure.net'],
  ['a name in another cloud', 'my-kv', own, 'https://my-kv.keys.svc.cluster.local'],
  ['a URL', 'https://my-kv.vault.azure.net', azure, 'https://my-kv.vault.azure.net'],
  ['a URL with a slash at the end', 'https://my-kv.vault.azure.net/', azure, 'https://my-kv.vault.azure.net'],
  ['a URL in capitals', 'HTTPS://My-KV.Vault.Azure.NET', azure, 'https://my-kv.vault.azure.net'],
  ['a URL with a port', 'https://localhost:8443', own, 'https://localhost:8443'],
  ['a URL with the usual port', 'https://my-kv.vault.azure.net:443', azure, 'https://my-kv.vault.azure.net'],
]
for (const [name, vault, cloud, url] of right) {
  void t.test(`clouds: valid vault, ${name}`, async (t) => t.strictSame(vaultUrl(vault, cloud), ok(url)))
}

const form = 'expected the name of a vault (3 to 24 letters, digits and dashes) or its https:// URL'
const host = 'expected only a host, such as https://my-kv.vault.azure.net'
const wrong: [name: string, vault: string, problem: string][] = [
  ['nothing', '', form],
  ['a host without its scheme', 'my-kv.vault.azure.net', form],
  ['plain HTTP', 'http://my-kv.vault.azure.net', 'expected an https:// URL'],
  ['no URL', 'https://', '"https://" is not a URL'],
  ['a path', 'https://my-kv.vault.azure.net/secrets', host],
  ['a query', 'https://my-kv.vault.azure.net?x', host],
  ['a fragment', 'https://my-kv.vault.azure.net#x', host],
  ['a user', 'https://me@my-kv.vault.azure.net', host],
  ['a password', 'https://:pw@my-kv.vault.azure.net', host],
  ['a managed HSM', 'https://my-hsm.managedhsm.azure.net', 'managed HSMs are not supported: use a vault'],
  [
    'a private link',
    'https://my-kv.privatelink.vaultcore.azure.net',
    'use the public name https://my-kv.vault.azure.net: a private endpoint answers to it inside the network',
  ],
]
for (const [name, vault, problem] of wrong) {
  void t.test(`clouds: invalid vault, ${name}`, async (t) => t.strictSame(vaultUrl(vault, azure), fail(problem)))
}
