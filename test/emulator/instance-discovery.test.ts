import t from 'tap'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { WorkloadIdentityCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmulator } from './emulator.ts'
import { makeIssuer } from './issuer.ts'

/**
 * With nothing but a proxy and a CA, the emulator stands in for the public cloud, MSAL's check of an authority at
 * login.microsoftonline.com included.
 */
void t.test('emulator: through the proxy every host is the emulator', async (t) => {
  const issuer = makeIssuer()
  const emulator = await startEmulator({
    names: ['login.microsoftonline.com', '*.vault.azure.net', 'login.emulator.test'],
    issuers: [issuer],
    credentials: [{ clientId: 'my-app', issuer: issuer.issuer, subject: 'system:serviceaccount:default:default' }],
  })
  const folder = mkdtempSync(join(tmpdir(), 'emulator-token-'))
  const trusted = getCACertificates()
  t.teardown(async () => {
    setDefaultCACertificates(trusted)
    rmSync(folder, { recursive: true })
    await emulator.close()
  })
  // The SDK drops a client's `tlsOptions.ca` when it goes through a proxy.
  setDefaultCACertificates([...trusted, emulator.ca])
  const tokenFilePath = join(folder, 'token')
  writeFileSync(tokenFilePath, await issuer.token())
  const { hostname, port } = new URL(await emulator.proxy())
  const common = { proxyOptions: { host: `http://${hostname}`, port: Number(port) }, retryOptions: { maxRetries: 0 } }
  emulator.vault('my-kv').setSecret('hello', 'world')

  for (const authorityHost of ['https://login.emulator.test/', 'https://login.microsoftonline.com/']) {
    emulator.journal.reset()
    const identity = { tenantId: emulator.tenant, clientId: 'my-app', tokenFilePath, authorityHost }
    const credential = new WorkloadIdentityCredential({ ...common, ...identity })
    const client = new SecretClient('https://my-kv.vault.azure.net/', credential, common)
    t.equal((await client.getSecret('hello')).value, 'world')
    const discovery = authorityHost.includes('microsoft') ? undefined : 1
    t.match(emulator.journal.counts(), { instance: discovery, token: 1, 'secrets.get': 1 })
  }
})
