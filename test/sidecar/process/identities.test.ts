import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import t from 'tap'
import { makeAuthority } from '../../emulator/tls.ts'
import { startMetadataService } from '../../emulator/metadata.ts'
import { startTokenProxy } from '../../emulator/token-proxy.ts'
import { clientId, isReady, read, until } from '../support/bundle.ts'
import { get, quick, stageWith, terminationOf } from '../support/stages.ts'
import { objectOf } from '../support/settings.ts'

const cloud = 'Emulator'
const audience = 'api://AKSIdentityBinding'
const caFile = '/var/run/secrets/azure/ca/ca.crt'

void t.test('as the node, while its metadata service is updated at the start', async (t) => {
  const stage = await stageWith(t)
  const service = await startMetadataService(stage.emulator)
  t.teardown(() => service.close())
  service.node = { own: 'own', assigned: ['assigned'] }
  service.failures = [410, 429]
  stage.emulator.access.set('assigned', [{ object: 'secrets/api-key' }])
  stage.emulator.vault('my-kv').setSecret('node-only', 'x')
  const node = { cloud, mode: 'node' as const }
  const settings = {
    ...stage.settings,
    identities: [node, { ...node, clientId: 'assigned' }, { cloud, tenantId: stage.emulator.tenant, clientId }],
    objects: [objectOf('node-only'), objectOf('api-key', { identity: 1 }), objectOf('db-user', { identity: 2 })],
  }
  // The metadata service is reached although a proxy is set for everything else: that one knows CONNECT alone.
  const sidecar = stage.start({ settings, env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: service.url, HTTP_PROXY: 'http://127.0.0.1:1' } }) // prettier-ignore
  await isReady(sidecar)
  t.strictSame(['node-only', 'api-key', 'db-user'].map((name) => read(stage.mount, name)), ['x', 'api-key-1', 'db-user-1']) // prettier-ignore
  const asked = sidecar.log().filter(({ event, operation }) => event === 'vault-request' && operation === 'get')
  t.strictSame(
    Object.fromEntries(asked.map(({ object, identity }) => [object, identity])),
    { 'node-only': 'system-assigned of the node', 'api-key': 'assigned of the node', 'db-user': clientId },
    'audit lines say whose identity was used',
  )
  const signIns = sidecar.log().filter(({ event }) => event === 'sign-in')
  t.match(signIns.find(({ outcome }) => outcome !== 'success'), { outcome: 'sign-in-unavailable', msg: /: 410 in an update$/ }) // prettier-ignore
  stage.emulator.access.set('assigned', [])
  stage.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('refused', () => sidecar.output().includes('identity assigned of the node may not get it'))
  t.equal(read(stage.mount, 'api-key'), 'api-key-1', 'and the last good file stays')
})

void t.test('as an identity that the node does not have', { timeout: 60_000 }, async (t) => {
  const stage = await stageWith(t)
  const service = await startMetadataService(stage.emulator)
  t.teardown(() => service.close())
  const settings = { ...stage.settings, identities: [{ cloud, mode: 'node' as const, clientId: 'gone' }] }
  const sidecar = stage.start({ settings, env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: service.url } })
  t.match(await sidecar.exited, { code: 1 })
  t.match(
    terminationOf(stage),
    /secret db-user: sign-in of the node's identity gone at .*400 Identity not found; assign/,
  )
})

void t.test('through the token proxy of an identity binding, whose authority changes', async (t) => {
  const stage = await stageWith(t, undefined, { ...quick, pollInterval: 300 })
  const { emulator, issuer } = stage
  const servername = 'proxy.cluster.example'
  const authority = makeAuthority({ commonName: 'Cluster CA' })
  const proxy = await startTokenProxy(emulator, authority.issue({ names: [servername] }))
  t.teardown(() => proxy.close())
  emulator.federate({ clientId: 'bound', issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web', audience })
  writeFileSync(stage.tokenPath, issuer.token({ namespace: 'shop', serviceAccount: 'web', audience }))
  const write = (text: string) => {
    mkdirSync(dirname(join(stage.root, caFile)), { recursive: true })
    writeFileSync(join(stage.root, caFile), text)
  }
  write(authority.ca)
  const sidecar = stage.start({
    settings: { ...stage.settings, identities: [{ cloud, mode: 'identity-binding' }] },
    env: {
      AZURE_CLIENT_ID: 'bound',
      AZURE_TENANT_ID: emulator.tenant,
      AZURE_KUBERNETES_TOKEN_PROXY: proxy.url,
      AZURE_KUBERNETES_CA_FILE: caFile,
      AZURE_KUBERNETES_SNI_NAME: servername,
      NO_PROXY: '127.0.0.1',
    },
  })
  await isReady(sidecar)
  t.equal(read(stage.mount, 'api-key'), 'api-key-1')
  t.strictSame(proxy.asked, [{ path: `/aks/${emulator.tenant}/oauth2/v2.0/token`, servername }])
  t.match(emulator.seen, [{ client: 'bound', aud: [audience], verified: true }])

  const next = makeAuthority({ commonName: 'Next cluster CA' })
  proxy.use(next.issue({ names: [servername] }))
  emulator.tokens.revoke()
  emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('not trusted', () => sidecar.output().includes(`AZURE_KUBERNETES_CA_FILE (${join(stage.root, caFile)})`))
  t.equal(read(stage.mount, 'api-key'), 'api-key-1')
  write(next.ca)
  await until('switched', () => read(stage.mount, 'api-key') === 'api-key-2')
  t.equal((await get(`${sidecar.url}/livez`)).status, 200)
})

void t.test('at AD FS, and at several tenants of Entra ID', async (t) => {
  const stage = await stageWith(t)
  const { emulator, issuer } = stage
  const other = '0e57e57e-0000-4000-8000-000000000002'
  for (const [name, tenant] of Object.entries({ hub: 'adfs', 'other-kv': other })) {
    emulator.vault(name).tenant = tenant
    emulator.vault(name).setSecret(`of-${name}`, name)
    emulator.federate({ clientId: 'app', issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web', tenant })
  }
  const settings = {
    ...stage.settings,
    identities: [...stage.settings.identities, { cloud, tenantId: 'adfs', clientId: 'app' }, { cloud, tenantId: other, clientId: 'app' }], // prettier-ignore
    objects: [objectOf('api-key'), objectOf('hub:of-hub', { identity: 1 }), objectOf('other-kv:of-other-kv', { identity: 2 })], // prettier-ignore
  }
  await isReady(stage.start({ settings }))
  t.strictSame(['api-key', 'of-hub', 'of-other-kv'].map((name) => read(stage.mount, name)), ['api-key-1', 'hub', 'other-kv']) // prettier-ignore
  const seen = emulator.seen.map(({ tenant, client, outcome }) => `${tenant} ${client} ${outcome}`)
  t.strictSame(seen.toSorted(), [`${emulator.tenant} ${clientId} issued`, 'adfs app issued', `${other} app issued`].toSorted()) // prettier-ignore
})
