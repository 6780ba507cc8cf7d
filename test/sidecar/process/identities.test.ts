import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import t from 'tap'
import { makeAuthority } from '../../emulator/tls.ts'
import { startMetadataService } from '../../emulator/metadata.ts'
import { startTokenProxy } from '../../emulator/token-proxy.ts'
import { clientId, isReady, read } from '../../support/sidecar-bundle.ts'
import { get, quick, sidecarFixture, terminationOf } from '../../support/sidecar-fixture.ts'
import { objectOf } from '../../support/settings.ts'
import { until } from '../../support/until.ts'

const cloud = 'Emulator'
const audience = 'api://AKSIdentityBinding'
const caFile = '/var/run/secrets/azure/ca/ca.crt'

void t.test("identities: the start waits while the node's metadata service is updated", async (t) => {
  const fixture = await sidecarFixture(t)
  const service = await startMetadataService(fixture.emulator)
  t.teardown(() => service.close())
  service.node = { own: 'own', assigned: ['assigned'] }
  service.failures = [410, 429]
  fixture.emulator.access.set('assigned', [{ object: 'secrets/api-key' }])
  fixture.emulator.vault('my-kv').setSecret('node-only', 'x')
  const node = { cloud, mode: 'node' as const }
  const settings = {
    ...fixture.settings,
    identities: [node, { ...node, clientId: 'assigned' }, { cloud, tenantId: fixture.emulator.tenant, clientId }],
    objects: [objectOf('node-only'), objectOf('api-key', { identity: 1 }), objectOf('db-user', { identity: 2 })],
  }
  // The metadata service is reached although a proxy is set for everything else: that one knows CONNECT alone.
  const sidecar = fixture.start({
    settings,
    env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: service.url, HTTP_PROXY: 'http://127.0.0.1:1' },
  })
  await isReady(sidecar)
  t.strictSame(
    ['node-only', 'api-key', 'db-user'].map((name) => read(fixture.mount, name)),
    ['x', 'api-key-1', 'db-user-1'],
  )
  const asked = sidecar.log().filter(({ event, operation }) => event === 'vault-request' && operation === 'get')
  t.strictSame(
    Object.fromEntries(asked.map(({ object, identity }) => [object, identity])),
    { 'node-only': 'system-assigned of the node', 'api-key': 'assigned of the node', 'db-user': clientId },
    'audit lines say whose identity was used',
  )
  const signIns = sidecar.log().filter(({ event }) => event === 'sign-in')
  t.match(
    signIns.find(({ outcome }) => outcome !== 'success'),
    { outcome: 'sign-in-unavailable', msg: /: 410 in an update$/ },
  )
  fixture.emulator.access.set('assigned', [])
  fixture.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('refused', () => sidecar.output().includes('identity assigned of the node is not allowed to get it'))
  t.equal(read(fixture.mount, 'api-key'), 'api-key-1', 'and the last good file stays')
})

void t.test(
  'identities: an identity that the node does not have is a failure that names it',
  { timeout: 60_000 },
  async (t) => {
    const fixture = await sidecarFixture(t)
    const service = await startMetadataService(fixture.emulator)
    t.teardown(() => service.close())
    const settings = { ...fixture.settings, identities: [{ cloud, mode: 'node' as const, clientId: 'gone' }] }
    const sidecar = fixture.start({ settings, env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: service.url } })
    t.match(await sidecar.exited, { code: 1 })
    t.match(
      terminationOf(fixture),
      /secret db-user: sign-in of the node's identity gone at .*400 Identity not found; assign/,
    )
  },
)

void t.test('identities: the token proxy of an identity binding is used, and its changed authority read', async (t) => {
  const fixture = await sidecarFixture(t, undefined, { ...quick, pollInterval: 300 })
  const { emulator, issuer } = fixture
  const servername = 'proxy.cluster.example'
  const authority = makeAuthority({ commonName: 'Cluster CA' })
  const proxy = await startTokenProxy(emulator, authority.issue({ names: [servername] }))
  t.teardown(() => proxy.close())
  emulator.federate({ clientId: 'bound', issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web', audience })
  writeFileSync(fixture.tokenPath, await issuer.token({ namespace: 'shop', serviceAccount: 'web', audience }))
  const write = (text: string) => {
    mkdirSync(dirname(join(fixture.root, caFile)), { recursive: true })
    writeFileSync(join(fixture.root, caFile), text)
  }
  write(authority.ca)
  const sidecar = fixture.start({
    settings: { ...fixture.settings, identities: [{ cloud, mode: 'identity-binding' }] },
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
  t.equal(read(fixture.mount, 'api-key'), 'api-key-1')
  t.strictSame(proxy.asked, [{ path: `/aks/${emulator.tenant}/oauth2/v2.0/token`, servername }])
  t.match(emulator.seen, [{ client: 'bound', aud: [audience], verified: true }])

  const next = makeAuthority({ commonName: 'Next cluster CA' })
  proxy.use(next.issue({ names: [servername] }))
  emulator.tokens.revoke()
  emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('not trusted', () =>
    sidecar.output().includes(`AZURE_KUBERNETES_CA_FILE (${join(fixture.root, caFile)})`),
  )
  t.equal(read(fixture.mount, 'api-key'), 'api-key-1')
  write(next.ca)
  await until('switched', () => read(fixture.mount, 'api-key') === 'api-key-2')
  t.equal((await get(`${sidecar.url}/livez`)).status, 200)
})

void t.test('identities: AD FS and several tenants of Entra ID work at the same time', async (t) => {
  const fixture = await sidecarFixture(t)
  const { emulator, issuer } = fixture
  const other = '0e57e57e-0000-4000-8000-000000000002'
  for (const [name, tenant] of Object.entries({ hub: 'adfs', 'other-kv': other })) {
    emulator.vault(name).tenant = tenant
    emulator.vault(name).setSecret(`of-${name}`, name)
    emulator.federate({ clientId: 'app', issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web', tenant })
  }
  const settings = {
    ...fixture.settings,
    identities: [
      ...fixture.settings.identities,
      { cloud, tenantId: 'adfs', clientId: 'app' },
      { cloud, tenantId: other, clientId: 'app' },
    ],
    objects: [
      objectOf('api-key'),
      objectOf('hub:of-hub', { identity: 1 }),
      objectOf('other-kv:of-other-kv', { identity: 2 }),
    ],
  }
  await isReady(fixture.start({ settings }))
  t.strictSame(
    ['api-key', 'of-hub', 'of-other-kv'].map((name) => read(fixture.mount, name)),
    ['api-key-1', 'hub', 'other-kv'],
  )
  const seen = emulator.seen.map(({ tenant, client, outcome }) => `${tenant} ${client} ${outcome}`)
  t.strictSame(
    seen.toSorted(),
    [`${emulator.tenant} ${clientId} issued`, 'adfs app issued', `${other} app issued`].toSorted(),
  )
})
