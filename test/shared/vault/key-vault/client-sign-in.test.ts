import { rmSync, writeFileSync } from 'node:fs'
import { realClock } from '../../../../shared/clock.ts'
import t from 'tap'
import { failure, never, shareVaultFixture } from '../fixture.ts'

const { fixture, fresh } = await shareVaultFixture(t)

void t.test('Key Vault client: concurrent requests sign in once, whatever they read', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  await store.createKey('k', { kty: 'EC' })
  await Promise.all([
    vault.get('secret', 'db', undefined, never),
    vault.get('secret', 'db', undefined, never),
    vault.get('key', 'k', undefined, never),
    vault.list('cert', never),
  ])
  t.equal(fixture.emulator.journal.count('token'), 1)
})

void t.test('Key Vault client: the token file is read at each exchange', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  const token = await fixture.issuer.token({ namespace: 'shop', serviceAccount: 'web' })
  writeFileSync(fixture.tokenFile, await fixture.issuer.token({ namespace: 'shop', serviceAccount: 'other' }))
  const refused = await failure(vault.get('secret', 'db', undefined, never))
  t.match(refused, { code: 'AADSTS70021', kind: 'sign-in-unavailable' })
  for (const part of [
    fixture.issuer.issuer,
    'system:serviceaccount:shop:other',
    'api://AzureADTokenExchange',
    fixture.clientId,
  ]) {
    t.ok(refused.message.includes(part), part)
  }
  t.notMatch(refused.message, /eyJ/, 'but never the token')
  t.match(fixture.signIns, [{ outcome: 'sign-in-unavailable', code: 'AADSTS70021' }])
  t.match(fixture.requests, [{ outcome: 'sign-in-unavailable', code: 'AADSTS70021' }])

  writeFileSync(fixture.tokenFile, token)
  const { vault: another } = { vault: fixture.vault('kv-1') }
  t.ok(await another.list('secret', never))

  rmSync(fixture.tokenFile)
  const { vault: third } = fresh()
  t.match(await failure(third.list('secret', never)), {
    kind: 'sign-in',
    code: 'ENOENT',
    message: /the pod's token cannot be read/,
  })
  writeFileSync(fixture.tokenFile, ' \n')
  t.match(await failure(fixture.vault('kv-1').list('secret', never)), { kind: 'sign-in', message: /is empty$/ })
  writeFileSync(fixture.tokenFile, `${token}\n`)
})

void t.test('Key Vault client: a revoked token is replaced once in a poll', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  vault.beginPoll()
  await vault.get('secret', 'db', undefined, never)
  fixture.emulator.tokens.revoke()
  fixture.emulator.journal.reset()
  vault.beginPoll()
  t.ok(await vault.get('secret', 'db', undefined, never))
  t.strictSame(fixture.emulator.journal.counts(), { token: 1, 'secrets.get': 2 })

  fixture.emulator.fault({ match: { operation: 'secrets.get' }, fault: { kind: 'unauthorized' } })
  fixture.emulator.journal.reset()
  vault.beginPoll()
  for (let i = 0; i < 3; i++) {
    t.match(await failure(vault.get('secret', 'db', undefined, never)), { kind: 'unauthorized', status: 401 })
  }
  t.strictSame(fixture.emulator.journal.counts(), { token: 1, 'secrets.get': 4 })
})

void t.test('Key Vault client: a challenge that names another tenant is a failure that names both', async (t) => {
  const { store, name, vault } = fresh()
  store.setSecret('db', 'x')
  const tenant = '11111111-2222-4333-8444-555555555555'
  fixture.emulator.fault({ match: { operation: 'secrets.get' }, fault: { kind: 'wrong-tenant', tenant } })
  const signedIn = fixture.emulator.journal.next({ operation: 'token' })
  const failed = await failure(vault.get('secret', 'db', undefined, never))
  t.match(failed, { kind: 'sign-in', code: 'TenantMismatch' })
  t.match(
    failed.message,
    `vault ${name}, secret db: the vault belongs to tenant ${tenant}, but the pod signs in at tenant ${fixture.emulator.tenant}`,
  )
  await signedIn
  t.equal(fixture.emulator.journal.count('secrets.get'), 0, "the vault gets no token of the pod's tenant")
})

void t.test('Key Vault client: signs in while a vault is asked which token it wants', async (t) => {
  const { store, vault } = fresh({ effects: { timeoutMs: 1000 } })
  store.setSecret('db', 'x')
  const silent = { match: { operation: 'secrets.get', challenge: true }, fault: { kind: 'hang' } } as const
  const { remove } = fixture.emulator.fault(silent)
  const signedIn = fixture.emulator.journal.next({ operation: 'token' })
  const hanging = failure(vault.get('secret', 'db', undefined, never))
  t.equal((await signedIn).status, 200, 'before the vault has answered')
  t.match(await hanging, { kind: 'timeout' })
  remove()
  t.ok(await vault.get('secret', 'db', undefined, never))
  t.equal(fixture.emulator.journal.count('token'), 1, 'its token is used')
})

void t.test(
  'Key Vault client: a sign-in that fails meanwhile is the failure of the request, and is not repeated',
  async (t) => {
    const { store, vault } = fresh()
    store.setSecret('db', 'x')
    const outage = fixture.emulator.fault({ match: { operation: 'token' }, fault: { kind: 'status', status: 503 } })
    const failed = await failure(vault.get('secret', 'db', undefined, never))
    t.match(failed, { kind: 'sign-in-unavailable', status: 503 })
    t.notMatch(failed.message, /next sign-in/)
    t.equal(fixture.emulator.journal.count('token'), 1)
    outage.remove()
  },
)

void t.test('Key Vault client: waits for the challenge of a vault that may name any resource', async (t) => {
  const cloud = { verifyChallengeResource: false }
  const { store, vault } = fresh({ cloud, effects: { timeoutMs: 1000 } })
  store.setSecret('db', 'x')
  const silent = { match: { operation: 'secrets.get', challenge: true }, fault: { kind: 'hang' } } as const
  const { remove } = fixture.emulator.fault(silent)
  await failure(vault.get('secret', 'db', undefined, never))
  t.equal(fixture.emulator.journal.count('token'), 0)
  remove()
  t.ok(await vault.get('secret', 'db', undefined, never))
})

void t.test('Key Vault client: an outage of the sign-in service beyond the token’s expiry is survived', async (t) => {
  // The emulator keeps its own clock; only the sidecar's is turned.
  let time = Date.now()
  const { store, vault } = fresh({ effects: { clock: { ...realClock, now: () => time }, random: () => 0 } })
  store.setSecret('db', 'x')
  const poll = () => vault.list('secret', never)
  await poll()
  const outage = fixture.emulator.fault({ match: { operation: 'token' }, fault: { kind: 'status', status: 503 } })
  time += 50 * 60_000
  for (let i = 0; i < 3; i++) t.ok(await poll(), 'the token is still good')
  time += 20 * 60_000
  for (let i = 0; i < 3; i++) {
    t.match(await failure(poll()), { kind: 'sign-in-unavailable', status: 503, transient: true })
  }
  t.match(fixture.signIns.at(-1), { outcome: 'sign-in-unavailable', ahead: false })
  outage.remove()
  t.ok(await poll())
})

void t.test('Key Vault client: a sign-in service that hangs is named', async (t) => {
  const { store, vault } = fresh({ effects: { timeoutMs: 1000 } })
  store.setSecret('db', 'x')
  const { remove } = fixture.emulator.fault({ match: { operation: 'token' }, fault: { kind: 'hang' } })
  const [first, second] = await Promise.all([
    failure(vault.get('secret', 'db', undefined, never)),
    failure(vault.get('secret', 'db', undefined, never)),
  ])
  for (const failed of [first, second]) {
    t.match(failed, {
      kind: 'sign-in-unavailable',
      message: /the sign-in service gave no complete answer within 1 s; it is asked again$/,
    })
  }
  remove()
})
