import t from 'tap'
import type { Cloud } from '../../../shared/clouds.ts'
import type { Identity } from '../../../shared/settings.ts'
import { openVaults } from '../../../sidecar/vault/open-vaults.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { failure, never, objectOf, startVaultStage } from './stage.ts'

const clouds: Record<string, Cloud> = {
  public: { authorityHost: 'https://login.example/', vaultSuffix: 'vault.example' },
}
const environment = { AZURE_TENANT_ID: 't1', AZURE_CLIENT_ID: 'c1' }
const kv = 'https://my-kv.vault.example'

/** Opens vaults for objects given as [vault, identity]. */
const open = (
  objects: [vault: string, identity: number][],
  identities: Identity[],
  wanted: { clouds?: Record<string, Cloud>; environment?: Record<string, string> } = {},
) =>
  openVaults(
    {
      clouds: { ...clouds, ...wanted.clouds },
      identities,
      objects: objects.map(([vault, identity]) => objectOf(vault, identity)),
    },
    wanted.environment ?? environment,
  )

void t.test('one client for each distinct vault and identity', async (t) => {
  const opened = open(
    [[kv, 0], [kv, 0], [kv.toUpperCase().replace('HTTPS', 'https'), 1], [kv, 2], ['https://other.vault.example', 0], [kv, 3]], // prettier-ignore
    [{ cloud: 'public' }, { cloud: 'public', tenantId: 'T1', clientId: 'C1' }, { cloud: 'public', clientId: 'c2' }, { cloud: 'public', tenantId: 't2' }], // prettier-ignore
  )
  if (!opened.ok) throw new Error(opened.problems.join())
  const vaults = opened.value
  const of = (object: { vault: string; identity: number }) => vaults.of(object)
  t.equal(vaults.all.length, 4)
  t.equal(of({ vault: kv, identity: 0 }), of({ vault: kv, identity: 1 }), 'the environment stands in, and case does not matter') // prettier-ignore
  t.not(of({ vault: kv, identity: 0 }), of({ vault: kv, identity: 2 }))
  t.match(of({ vault: kv, identity: 2 }), { url: kv, name: 'my-kv', identity: 'c2' })
  t.throws(() => of({ vault: kv, identity: 9 }))
  vaults.close()
})

void t.test('identities that differ only in how they sign in, or in their cloud, share no client', async (t) => {
  const other = { other: { authorityHost: 'https://login.other.example', vaultSuffix: 'vault.example' } }
  const identities: Identity[] = [
    { cloud: 'public' },
    { cloud: 'public', mode: 'identity-binding' },
    { cloud: 'public', mode: 'node', tenantId: 't1', clientId: 'c1' },
    { cloud: 'other' },
    { cloud: 'other', mode: 'node', tenantId: 't1', clientId: 'c1' },
  ]
  const opened = open(identities.map((_, index) => [kv, index]), identities, { clouds: other }) // prettier-ignore
  if (!opened.ok) throw new Error(opened.problems.join())
  t.equal(opened.value.all.length, identities.length)
  opened.value.close()
})

void t.test('how a vault is called', async (t) => {
  for (const [url, name] of [
    [kv, 'my-kv'],
    ['https://my-kv.vault.example:8443', 'my-kv'],
    ['https://my-kv.elsewhere.example', 'my-kv.elsewhere.example'],
    ['https://my-kv.vault.example.elsewhere.example', 'my-kv.vault.example.elsewhere.example'],
    ['https://localhost:8443', 'localhost:8443'],
  ] as const) {
    const opened = open([[url, 0]], [{ cloud: 'public' }])
    t.equal(opened.ok && opened.value.all[0]!.name, name)
  }
})

void t.test('every problem of the identities in use is told', async (t) => {
  const cases: [name: string, identity: Identity, wanted: Parameters<typeof open>[2], problems: RegExp[]][] = [
    ['nobody', { cloud: 'public' }, { environment: {} }, [/no tenant id/, /no client id/]],
    ['nobody, although there is an identity binding', { cloud: 'public', mode: 'identity-binding' }, { environment: {} }, [/AZURE_TENANT_ID, which .* is the workload identity webhook's to set/, /AZURE_CLIENT_ID, which .*skip-containers/]], // prettier-ignore
    ['no such cloud', { cloud: 'private' }, {}, [/there is no cloud "private"/]],
    ['half an identity binding', { cloud: 'public', mode: 'identity-binding' }, { environment: { ...environment, AZURE_KUBERNETES_SNI_NAME: 'x' } }, [/^AZURE_KUBERNETES_SNI_NAME without AZURE_KUBERNETES_TOKEN_PROXY$/]], // prettier-ignore
    ['no certificate for a node', { cloud: 'public', mode: 'node' }, { environment: {}, clouds: { public: { ...clouds['public']!, caCertificates: 'abc' } } }, [/caCertificates cannot be read/]], // prettier-ignore
    ['a tenant that would be a path', { cloud: 'public', tenantId: '../x' }, {}, [/"\.\.\/x"/]],
    ['plain http', { cloud: 'public' }, { clouds: { public: { ...clouds['public']!, authorityHost: 'http://login.example' } } }, [/never asked for over plain http/]], // prettier-ignore
    ['no certificate', { cloud: 'public' }, { clouds: { public: { ...clouds['public']!, caCertificates: 'abc' } } }, [/caCertificates cannot be read: there is no PEM certificate/]], // prettier-ignore
    ['half a certificate', { cloud: 'public' }, { clouds: { public: { ...clouds['public']!, caCertificates: makeAuthority().ca.split('\n').toSpliced(3, 5).join('\n') } } }, [/caCertificates cannot be read/]], // prettier-ignore
  ]
  for (const [name, identity, wanted, problems] of cases) {
    const opened = open([[kv, 0]], [identity], wanted)
    t.match(opened, { ok: false, problems }, name)
    t.equal(!opened.ok && opened.problems.length, problems.length)
  }
  t.match(
    open([[kv, 1]], [{ cloud: 'private' }, { cloud: 'public' }]),
    { ok: true },
    'those that nobody uses do not count',
  )
  t.match(
    open([[kv, 0]], [{ cloud: 'public' }], { environment: { ...environment, AZURE_KUBERNETES_SNI_NAME: 'x' } }),
    { ok: true },
    'what the environment says of a binding counts for a binding alone',
  )
})

void t.test('the node needs neither a tenant nor a client id, and takes none from the environment', async (t) => {
  const opened = open([[kv, 0], [kv, 1], [kv, 2]], [{ cloud: 'public', mode: 'node' }, { cloud: 'public', mode: 'node', clientId: 'C1' }, { cloud: 'public' }]) // prettier-ignore
  if (!opened.ok) throw new Error(opened.problems.join())
  t.strictSame(
    opened.value.all.map(({ identity }) => identity),
    ['system-assigned of the node', 'C1 of the node', 'c1'],
  )
  opened.value.close()
})

void t.test('identities side by side, over the same token', async (t) => {
  const stage = await startVaultStage()
  t.teardown(() => stage.end())
  const { emulator, issuer, environment } = stage
  emulator.federate({ clientId: 'second', issuer: issuer.issuer, subject: '*' })
  for (const name of ['a', 'b']) emulator.vault(name).setSecret('db', name)
  emulator.access.set(stage.clientId, [{ vault: 'a' }])
  emulator.access.set('second', [{ vault: 'b' }])
  const url = (name: string) => emulator.url(name).slice(0, -1)
  const opened = openVaults(
    {
      clouds: { test: stage.cloud },
      identities: [{ cloud: 'test' }, { cloud: 'test', clientId: 'second' }],
      objects: [objectOf(url('a'), 0), objectOf(url('b'), 1), objectOf(url('b'), 0)],
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
  await t.rejects(read('b', 0), { kind: 'forbidden', message: new RegExp(stage.clientId) })
  t.equal(emulator.journal.count('token'), 2, 'one sign-in for each identity')
})

void t.test("one cloud's private authority is not trusted for another's vaults", async (t) => {
  const stage = await startVaultStage()
  t.teardown(() => stage.end())
  const { emulator, cloud, environment } = stage
  for (const name of ['a', 'b']) emulator.vault(name).setSecret('db', name)
  const url = (name: string) => emulator.url(name).slice(0, -1)
  for (const [trusting, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    // prettier-ignore
    const clouds = { own: cloud, other: { ...cloud, caCertificates: makeAuthority({ commonName: 'Other CA' }).ca } }
    const identities = [{ cloud: trusting === 0 ? 'own' : 'other' }, { cloud: trusting === 0 ? 'other' : 'own' }]
    const opened = openVaults({ clouds, identities, objects: [objectOf(url('a'), 0), objectOf(url('b'), 1)] }, environment) // prettier-ignore
    if (!opened.ok) throw new Error(opened.problems.join())
    t.teardown(() => opened.value.close())
    const names = ['a', 'b']
    const read = (index: number) => opened.value.of({ vault: url(names[index] ?? ''), identity: index }).get('secret', 'db', undefined, never) // prettier-ignore
    t.match(await read(trusting), { content: { secret: names[trusting] } })
    t.match(await failure(read(other)), { kind: 'network', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  }
})

void t.test('tenants side by side, AD FS among them', async (t) => {
  const stage = await startVaultStage()
  t.teardown(() => stage.end())
  const { emulator, issuer, environment, clientId } = stage
  const tenants = { own: emulator.tenant, other: '0e57e57e-0000-4000-8000-000000000002', hub: 'adfs' }
  for (const [name, tenant] of Object.entries(tenants)) {
    emulator.vault(name).tenant = tenant
    emulator.vault(name).setSecret('db', name)
    emulator.federate({ clientId, issuer: issuer.issuer, subject: 'system:serviceaccount:shop:web', tenant })
  }
  const url = (name: string) => emulator.url(name).slice(0, -1)
  const identities = [{}, { tenantId: tenants.other }, { tenantId: 'ADFS' }].map((one) => ({ cloud: 'test', ...one }))
  const pairs = Object.keys(tenants).flatMap((name) => [0, 1, 2].map((identity) => objectOf(url(name), identity)))
  // Azure Stack Hub's own documents give the authority of AD FS with its tenant at the end.
  for (const authorityHost of [emulator.authorityHost, `${emulator.authorityHost}adfs/`]) {
    const ofHub = authorityHost.endsWith('adfs/')
    const opened = openVaults({ clouds: { test: { ...stage.cloud, authorityHost } }, identities, objects: pairs }, environment) // prettier-ignore
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
      // prettier-ignore
      const failed = await failure(read(vault, identity))
      t.match(failed, { kind: 'sign-in', code: 'TenantMismatch' })
      t.match(failed.message, `it belongs to tenant ${tenant}, but the pod signs in at tenant ${own}`)
    }
  }
  t.strictSame(
    emulator.seen.map(({ tenant, sub, outcome }) => [tenant, sub, outcome]),
    [tenants.hub, tenants.own, tenants.other, tenants.hub].map((tenant) => [tenant, 'system:serviceaccount:shop:web', 'issued']), // prettier-ignore
  )
})

void t.test('sign-in: an identity whose cloud has an audience of its own reads the token for it', async (t) => {
  const stage = await startVaultStage()
  t.teardown(() => stage.end())
  stage.emulator.vault('kv').setSecret('db', 'x')
  const read: string[] = []
  const readText = async (path: string) => {
    read.push(path)
    throw new Error('it is not there')
  }
  const url = stage.emulator.url('kv').slice(0, -1)
  const identities: Identity[] = [{ cloud: 'test' }, { cloud: 'test', clientId: 'c2', tokenFile: 'token-1' }]
  const settings = { clouds: { test: stage.cloud }, identities, objects: [objectOf(url, 0), objectOf(url, 1)] }
  const opened = openVaults(settings, { ...stage.environment, AZURE_FEDERATED_TOKEN_FILE: '/tokens/token' }, { readText }) // prettier-ignore
  if (!opened.ok) throw new Error(opened.problems.join())
  for (const vault of opened.value.all) {
    t.match(await failure(vault.get('secret', 'db', undefined, never)), { kind: 'sign-in' })
  }
  t.strictSame(read, ['/tokens/token', '/tokens/token-1'])
  opened.value.close()
})
