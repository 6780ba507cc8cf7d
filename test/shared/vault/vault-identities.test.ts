import t from 'tap'
import type { Identity } from '../../../shared/settings/codec.ts'
import { openVaults } from '../../../shared/vault/open-vaults.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { failure, never, startVaultFixture } from './fixture.ts'
import { objectSpec } from '../../support/object-spec.ts'
import { kv, open } from './open-vaults-fixture.ts'

void t.test(
  "vaults: the node's identity needs no tenant and no client ID, and ignores those of the environment",
  async (t) => {
    const opened = open(
      [
        [kv, 0],
        [kv, 1],
        [kv, 2],
      ],
      [{ cloud: 'public', mode: 'node' }, { cloud: 'public', mode: 'node', clientId: 'C1' }, { cloud: 'public' }],
    )
    if (!opened.ok) throw new Error(opened.problems.join())
    t.strictSame(
      opened.value.all.map(({ identity }) => identity),
      ['system-assigned of the node', 'C1 of the node', 'c1'],
    )
    opened.value.close()
  },
)

void t.test('vaults: several identities use the same token of the pod', async (t) => {
  const fixture = await startVaultFixture()
  t.teardown(() => fixture.end())
  const { emulator, issuer, environment } = fixture
  emulator.federate({ clientId: 'second', issuer: issuer.issuer, subject: '*' })
  for (const name of ['a', 'b']) emulator.vault(name).setSecret('db', name)
  emulator.access.set(fixture.clientId, [{ vault: 'a' }])
  emulator.access.set('second', [{ vault: 'b' }])
  const url = (name: string) => emulator.url(name).slice(0, -1)
  const opened = openVaults(
    {
      clouds: { test: fixture.cloud },
      identities: [{ cloud: 'test' }, { cloud: 'test', clientId: 'second' }],
      objects: [
        objectSpec('db-password', { vault: url('a'), identity: 0 }),
        objectSpec('db-password', { vault: url('b'), identity: 1 }),
        objectSpec('db-password', { vault: url('b'), identity: 0 }),
      ],
    },
    environment,
  )
  if (!opened.ok) throw new Error(opened.problems.join())
  const vaults = opened.value
  t.teardown(() => vaults.close())
  const read = (vault: string, identity: number) =>
    vaults.of({ vault: url(vault), identity }).get('secret', 'db', undefined, never)
  t.match(await read('a', 0), { content: { secret: 'a' } })
  t.match(await read('b', 1), { content: { secret: 'b' } })
  await t.rejects(read('b', 0), { kind: 'forbidden', message: new RegExp(fixture.clientId) })
  t.equal(emulator.journal.count('token'), 2, 'one sign-in for each identity')
})

void t.test("vaults: one cloud's private authority is not trusted for another's vaults", async (t) => {
  const fixture = await startVaultFixture()
  t.teardown(() => fixture.end())
  const { emulator, cloud, environment } = fixture
  for (const name of ['a', 'b']) emulator.vault(name).setSecret('db', name)
  const url = (name: string) => emulator.url(name).slice(0, -1)
  for (const [trusting, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const clouds = { own: cloud, other: { ...cloud, caCertificates: makeAuthority({ commonName: 'Other CA' }).ca } }
    const identities = [{ cloud: trusting === 0 ? 'own' : 'other' }, { cloud: trusting === 0 ? 'other' : 'own' }]
    const opened = openVaults(
      {
        clouds,
        identities,
        objects: [
          objectSpec('db-password', { vault: url('a'), identity: 0 }),
          objectSpec('db-password', { vault: url('b'), identity: 1 }),
        ],
      },
      environment,
    )
    if (!opened.ok) throw new Error(opened.problems.join())
    t.teardown(() => opened.value.close())
    const names = ['a', 'b']
    const read = (index: number) =>
      opened.value.of({ vault: url(names[index] ?? ''), identity: index }).get('secret', 'db', undefined, never)
    t.match(await read(trusting), { content: { secret: names[trusting] } })
    t.match(await failure(read(other)), { kind: 'network', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  }
})

void t.test('vaults: several tenants work at the same time, AD FS among them', async (t) => {
  const fixture = await startVaultFixture()
  t.teardown(() => fixture.end())
  const { emulator, issuer, environment, clientId } = fixture
  const tenants = { own: emulator.tenant, other: '0e57e57e-0000-4000-8000-000000000002', hub: 'adfs' }
  for (const [name, tenant] of Object.entries(tenants)) {
    emulator.vault(name).tenant = tenant
    emulator.vault(name).setSecret('db', name)
    emulator.federate({ clientId, issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web', tenant })
  }
  const url = (name: string) => emulator.url(name).slice(0, -1)
  const identities = [{}, { tenantId: tenants.other }, { tenantId: 'ADFS' }].map((one) => ({ cloud: 'test', ...one }))
  const pairs = Object.keys(tenants).flatMap((name) =>
    [0, 1, 2].map((identity) => objectSpec('db-password', { vault: url(name), identity })),
  )
  // Azure Stack Hub's own documents give the authority of AD FS with its tenant at the end.
  for (const authorityHost of [emulator.authorityHost, `${emulator.authorityHost}adfs/`]) {
    const ofHub = authorityHost.endsWith('adfs/')
    const opened = openVaults(
      { clouds: { test: { ...fixture.cloud, authorityHost } }, identities, objects: pairs },
      environment,
    )
    if (!opened.ok) throw new Error(opened.problems.join())
    t.teardown(() => opened.value.close())
    const read = (vault: string, identity: number) =>
      opened.value.of({ vault: url(vault), identity }).get('secret', 'db', undefined, never)
    t.match(await read('hub', 2), { content: { secret: 'hub' } })
    if (ofHub) continue
    t.match(await read('own', 0), { content: { secret: 'own' } })
    t.match(await read('other', 1), { content: { secret: 'other' } })
    for (const [vault, identity, tenant, own] of [
      ['own', 1, tenants.own, tenants.other],
      ['hub', 0, 'adfs', tenants.own],
      ['own', 2, tenants.own, 'adfs'],
    ] as const) {
      const failed = await failure(read(vault, identity))
      t.match(failed, { kind: 'sign-in', code: 'TenantMismatch' })
      t.match(failed.message, `the vault belongs to tenant ${tenant}, but the pod signs in at tenant ${own}`)
    }
  }
  t.strictSame(
    emulator.seen.map(({ tenant, sub, outcome }) => [tenant, sub, outcome]),
    [tenants.hub, tenants.own, tenants.other, tenants.hub].map((tenant) => [
      tenant,
      'system:serviceaccount:shop:web',
      'issued',
    ]),
  )
})

void t.test('sign-in: an identity whose cloud has its own audience reads the token for it', async (t) => {
  const fixture = await startVaultFixture()
  t.teardown(() => fixture.end())
  fixture.emulator.vault('kv').setSecret('db', 'x')
  const read: string[] = []
  const readText = async (path: string) => {
    read.push(path)
    throw new Error('it is not there')
  }
  const url = fixture.emulator.url('kv').slice(0, -1)
  const identities: Identity[] = [{ cloud: 'test' }, { cloud: 'test', clientId: 'c2', tokenFile: 'token-1' }]
  const settings = {
    clouds: { test: fixture.cloud },
    identities,
    objects: [
      objectSpec('db-password', { vault: url, identity: 0 }),
      objectSpec('db-password', { vault: url, identity: 1 }),
    ],
  }
  const opened = openVaults(
    settings,
    { ...fixture.environment, AZURE_FEDERATED_TOKEN_FILE: '/tokens/token' },
    { readText },
  )
  if (!opened.ok) throw new Error(opened.problems.join())
  for (const vault of opened.value.all) {
    t.match(await failure(vault.get('secret', 'db', undefined, never)), { kind: 'sign-in' })
  }
  t.strictSame(read, ['/tokens/token', '/tokens/token-1'])
  opened.value.close()
})
