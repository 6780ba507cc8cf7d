import t from 'tap'
import { SecretClient } from '@azure/keyvault-secrets'
import type { PagedAsyncIterableIterator } from '@azure/core-paging'
import { metadataOnly } from './access.ts'
import { failureOf, startFixture, type EmulatorFixture } from './sdk.ts'

let fixture: EmulatorFixture
t.before(async () => {
  fixture = await startFixture()
  for (const vault of ['my-kv', 'other-kv']) fixture.emulator.vault(vault).setSecret('where', vault)
})
t.teardown(() => fixture.end())

/** The inner code of a LIST's refusal: the clients do not hand it on, so it is read off the wire. */
async function refusedList(client: SecretClient) {
  await failureOf(firstPage(client.listPropertiesOfSecrets()))
  const { error } = JSON.parse(fixture.last?.bodyAsText ?? '') as { error: { innererror: { code: string } } }
  return error.innererror.code
}

const firstPage = async (list: PagedAsyncIterableIterator<unknown>) => (await list.byPage().next()).value as unknown

void t.test('emulator: the first label of the host selects the vault, case-insensitively', async (t) => {
  const credential = fixture.credential()
  t.equal((await fixture.secrets('my-kv', credential).getSecret('where')).value, 'my-kv')
  t.equal((await fixture.secrets('Other-KV', credential).getSecret('where')).value, 'other-kv')
})

void t.test('emulator: an unknown vault answers 404 with its own error code', async (t) => {
  t.match(await failureOf(fixture.secrets('no-kv').getSecret('where')), { status: 404, code: 'NotFound' })
})

void t.test(
  'emulator: a separate listener serves one vault at localhost to clients that do not verify the resource',
  async (t) => {
    const url = await fixture.emulator.listen('other-kv')
    const options = { tlsOptions: { ca: fixture.emulator.ca }, retryOptions: { maxRetries: 0 } }
    const trusting = new SecretClient(url, fixture.credential(), {
      ...options,
      disableChallengeResourceVerification: true,
    })
    t.equal((await trusting.getSecret('where')).value, 'other-kv')
    const verifying = new SecretClient(url, fixture.credential(), options)
    t.match(await failureOf(verifying.getSecret('where')), { message: /challenge resource 'localhost' does not match/ })
  },
)

void t.test('emulator: host names of cluster Services select the vault', async (t) => {
  const emulated = await startFixture({ suffix: 'vaults.svc.cluster.localhost' })
  t.teardown(() => emulated.end())
  emulated.emulator.vault('my-kv').setSecret('where', 'in the cluster')
  t.equal((await emulated.secrets('my-kv').getSecret('where')).value, 'in the cluster')
})

void t.test('emulator: the challenge names authority, tenant and resource', async (t) => {
  const getToken = async () => null
  const client = fixture.secrets('my-kv', { getToken })
  await failureOf(client.getSecret('where'))
  const authorization = `${fixture.emulator.authorityHost}${fixture.emulator.tenant}`
  const challenge = fixture.last?.headers.get('www-authenticate')
  t.equal(challenge, `Bearer authorization="${authorization}", resource="https://vault.localhost"`)
})

void t.test('emulator: a revoked token is rejected before it expires, and the SDK keeps using it', async (t) => {
  const client = fixture.secrets('my-kv')
  await client.getSecret('where')
  fixture.emulator.tokens.revoke()
  fixture.emulator.journal.reset()
  t.match(await failureOf(client.getSecret('where')), { status: 401, code: 'Unauthorized' })
  t.match(await failureOf(client.getSecret('where')), { status: 401, code: 'Unauthorized' })
  t.equal(fixture.emulator.journal.count('token'), 0)
  t.equal((await fixture.secrets('my-kv').getSecret('where')).value, 'my-kv', 'a fresh one is good')
})

const tokens: [name: string, change: (good: Good) => Good][] = [
  ['of another resource', (good) => ({ ...good, resource: 'https://vault.azure.net' })],
  ['of another tenant', (good) => ({ ...good, tenant: 'another' })],
  ['that has expired', (good) => ({ ...good, lifetime: 0 })],
]
type Good = Parameters<EmulatorFixture['emulator']['tokens']['issue']>[0]

for (const [name, change] of tokens)
  void t.test(`emulator: a token ${name} is answered with 401`, async (t) => {
    const { emulator, clientId: client } = fixture
    const good = { tenant: emulator.tenant, client, resource: 'https://vault.localhost', lifetime: 60 }
    const reads = (token: string) =>
      fixture
        .secrets('my-kv', { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3600_000 }) })
        .getSecret('where')
    t.equal((await reads(await emulator.tokens.issue(good))).value, 'my-kv')
    t.match(await failureOf(reads(await emulator.tokens.issue(change(good)))), { status: 401, code: 'Unauthorized' })
    const forged = (await emulator.tokens.issue(good)).replace(/[^.]*$/, 'AAAA')
    for (const bad of ['nonsense', forged]) t.match(await failureOf(reads(bad)), { status: 401, code: 'Unauthorized' })
  })

void t.test('emulator: grants limit what a client may get and list', async (t) => {
  const { clientId } = fixture
  const { access } = fixture.emulator
  t.teardown(() => access.clear())
  const client = fixture.secrets('my-kv')
  fixture.emulator.vault('my-kv').setSecret('db-user', 'me')

  access.set(clientId, [{ vault: 'my-*', object: 'secrets/db-*' }])
  t.equal((await client.getSecret('db-user')).value, 'me')
  const byRole = { status: 403, code: 'Forbidden', inner: 'ForbiddenByRbac' }
  t.match(await failureOf(client.getSecret('where')), { ...byRole, message: new RegExp(`appid=${clientId}`) })
  t.match(await failureOf(client.getSecret('absent')), byRole, 'a missing one is forbidden too')
  t.equal(await refusedList(client), 'ForbiddenByRbac', 'roles on objects do not cover LIST')
  fixture.emulator.vault('other-kv').setSecret('db-user', 'somebody')
  t.match(await failureOf(fixture.secrets('other-kv').getSecret('db-user')), byRole)

  fixture.emulator.vault('my-kv').authorization = 'access-policy'
  access.set(clientId, [{ verbs: ['get'] }])
  t.equal((await client.getSecret('where')).value, 'my-kv')
  t.equal(await refusedList(client), 'AccessDenied')

  access.set(clientId, null)
  t.ok(await firstPage(client.listPropertiesOfSecrets()))
})

void t.test('emulator: an identity for metadata alone lists objects and versions, and reads no value', async (t) => {
  const emulated = await startFixture()
  t.teardown(() => emulated.end())
  emulated.emulator.vault('my-kv').setSecret('where', 'my-kv')
  emulated.emulator.access.set(emulated.clientId, metadataOnly)
  const client = emulated.secrets('my-kv')
  t.strictSame(
    (await firstPage(client.listPropertiesOfSecrets())) &&
      (await firstPage(client.listPropertiesOfSecretVersions('where'))) !== undefined,
    true,
  )
  t.match(await failureOf(client.getSecret('where')), { status: 403 })
})
