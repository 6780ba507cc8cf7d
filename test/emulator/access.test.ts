import t from 'tap'
import { SecretClient } from '@azure/keyvault-secrets'
import type { PagedAsyncIterableIterator } from '@azure/core-paging'
import { failureOf, startStage, type Stage } from './sdk.ts'

let stage: Stage
t.before(async () => {
  stage = await startStage()
  for (const vault of ['my-kv', 'other-kv']) stage.emulator.vault(vault).setSecret('where', vault)
})
t.teardown(() => stage.end())

/** The inner code of a LIST's refusal: the clients do not hand it on, so it is read off the wire. */
async function refusedList(client: SecretClient) {
  await failureOf(firstPage(client.listPropertiesOfSecrets()))
  const { error } = JSON.parse(stage.last?.bodyAsText ?? '') as { error: { innererror: { code: string } } }
  return error.innererror.code
}

const firstPage = async (list: PagedAsyncIterableIterator<unknown>) => (await list.byPage().next()).value as unknown

void t.test('the host’s first label says which vault, without case', async (t) => {
  const credential = stage.credential()
  t.equal((await stage.secrets('my-kv', credential).getSecret('where')).value, 'my-kv')
  t.equal((await stage.secrets('Other-KV', credential).getSecret('where')).value, 'other-kv')
})

void t.test('a vault that does not exist answers 404, but not as Key Vault answers for a secret', async (t) => {
  t.match(await failureOf(stage.secrets('no-kv').getSecret('where')), { status: 404, code: 'NotFound' })
})

void t.test(
  'a listener of its own serves one vault at localhost, to clients that do not verify the resource',
  async (t) => {
    const url = await stage.emulator.listen('other-kv')
    const options = { tlsOptions: { ca: stage.emulator.ca }, retryOptions: { maxRetries: 0 } }
    const trusting = new SecretClient(url, stage.credential(), {
      ...options,
      disableChallengeResourceVerification: true,
    })
    t.equal((await trusting.getSecret('where')).value, 'other-kv')
    const verifying = new SecretClient(url, stage.credential(), options)
    t.match(await failureOf(verifying.getSecret('where')), { message: /challenge resource 'localhost' does not match/ })
  },
)

void t.test('a cluster’s host names work as they are: one Service per vault', async (t) => {
  const emulated = await startStage({ suffix: 'vaults.svc.cluster.localhost' })
  t.teardown(() => emulated.end())
  emulated.emulator.vault('my-kv').setSecret('where', 'in the cluster')
  t.equal((await emulated.secrets('my-kv').getSecret('where')).value, 'in the cluster')
})

void t.test('the challenge names authority, tenant and resource', async (t) => {
  const getToken = async () => null
  const client = stage.secrets('my-kv', { getToken })
  await failureOf(client.getSecret('where'))
  const authorization = `${stage.emulator.authorityHost}${stage.emulator.tenant}`
  const challenge = stage.last?.headers.get('www-authenticate')
  t.equal(challenge, `Bearer authorization="${authorization}", resource="https://vault.localhost"`)
})

void t.test('a token that was revoked is refused although it has not expired; the SDK goes on using it', async (t) => {
  const client = stage.secrets('my-kv')
  await client.getSecret('where')
  stage.emulator.tokens.revoke()
  stage.emulator.journal.reset()
  t.match(await failureOf(client.getSecret('where')), { status: 401, code: 'Unauthorized' })
  t.match(await failureOf(client.getSecret('where')), { status: 401, code: 'Unauthorized' })
  t.equal(stage.emulator.journal.count('token'), 0)
  t.equal((await stage.secrets('my-kv').getSecret('where')).value, 'my-kv', 'a fresh one is good')
})

const tokens: [name: string, change: (good: Good) => Good][] = [
  ['of another resource', (good) => ({ ...good, resource: 'https://vault.azure.net' })],
  ['of another tenant', (good) => ({ ...good, tenant: 'another' })],
  ['that has expired', (good) => ({ ...good, lifetime: 0 })],
]
type Good = Parameters<Stage['emulator']['tokens']['issue']>[0]

for (const [name, change] of tokens)
  void t.test(`401 for a token ${name}`, async (t) => {
    const { emulator, clientId: client } = stage
    const good = { tenant: emulator.tenant, client, resource: 'https://vault.localhost', lifetime: 60 }
    const reads = (token: string) =>
      stage
        .secrets('my-kv', { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3600_000 }) })
        .getSecret('where')
    t.equal((await reads(emulator.tokens.issue(good))).value, 'my-kv')
    t.match(await failureOf(reads(emulator.tokens.issue(change(good)))), { status: 401, code: 'Unauthorized' })
    const forged = emulator.tokens.issue(good).replace(/[^.]*$/, 'AAAA')
    for (const bad of ['nonsense', forged]) t.match(await failureOf(reads(bad)), { status: 401, code: 'Unauthorized' })
  })

void t.test('grants say what a client may get and list', async (t) => {
  const { clientId } = stage
  const { access } = stage.emulator
  t.teardown(() => access.clear())
  const client = stage.secrets('my-kv')
  stage.emulator.vault('my-kv').setSecret('db-user', 'me')

  access.set(clientId, [{ vault: 'my-*', object: 'secrets/db-*' }])
  t.equal((await client.getSecret('db-user')).value, 'me')
  const byRole = { status: 403, code: 'Forbidden', inner: 'ForbiddenByRbac' }
  t.match(await failureOf(client.getSecret('where')), { ...byRole, message: new RegExp(`appid=${clientId}`) })
  t.match(await failureOf(client.getSecret('absent')), byRole, 'a missing one is forbidden too')
  t.equal(await refusedList(client), 'ForbiddenByRbac', 'roles on objects do not cover LIST')
  stage.emulator.vault('other-kv').setSecret('db-user', 'somebody')
  t.match(await failureOf(stage.secrets('other-kv').getSecret('db-user')), byRole)

  stage.emulator.vault('my-kv').authorization = 'access-policy'
  access.set(clientId, [{ verbs: ['get'] }])
  t.equal((await client.getSecret('where')).value, 'my-kv')
  t.equal(await refusedList(client), 'AccessDenied')

  access.set(clientId, null)
  t.ok(await firstPage(client.listPropertiesOfSecrets()))
})
