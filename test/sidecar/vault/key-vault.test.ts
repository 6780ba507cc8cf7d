import { X509Certificate } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import type { ObjectType } from '../../../shared/object-spec.ts'
import { failure, never, startVaultStage, type Stage } from './stage.ts'

let stage: Stage
t.before(async () => {
  stage = await startVaultStage()
})
t.teardown(() => stage.end())
t.beforeEach(() => {
  stage.emulator.faults.clear()
  stage.emulator.access.clear()
  stage.emulator.journal.reset()
  stage.requests.length = stage.signIns.length = 0
})

let names = 0
/** A vault that no other test knows, in the emulator and as the sidecar sees it. */
const fresh = (options?: Parameters<Stage['vault']>[1]) => {
  const name = `kv-${++names}`
  return { name, store: stage.emulator.vault(name), vault: stage.vault(name, options) }
}

const leaf = () => stage.emulator.authority!.issue({ names: ['web.example'] })

void t.test('a secret is read, after one challenge and one sign-in', async (t) => {
  const { name, store, vault } = fresh()
  const written = store.setSecret('db-password', 'first\n', { contentType: 'text/plain' })
  const got = await vault.get('secret', 'DB-Password', undefined, never)
  t.match(got, {
    type: 'secret',
    name: 'DB-Password',
    version: written.id,
    contentType: 'text/plain',
    content: { secret: 'first\n' },
    attributes: { enabled: true, created: written.attributes.created, updated: written.attributes.updated },
  })
  t.notOk('keyId' in got)
  t.ok(Math.abs(got.answeredAt! - Date.now()) < 10_000, 'the Date header')
  await vault.get('secret', 'db-password', written.id, never)
  t.strictSame(stage.emulator.journal.counts(), { challenge: 1, token: 1, 'secrets.get': 2 })
  const { clientId } = stage
  const about = { vault: name, operation: 'get', type: 'secret', version: written.id, identity: clientId, status: 200 }
  t.match(stage.requests, [
    { ...about, object: 'DB-Password', outcome: 'success', requests: 2 },
    { ...about, object: 'db-password', outcome: 'success', requests: 1 },
  ])
  t.match(stage.signIns, [{ identity: clientId, tenant: stage.emulator.tenant, outcome: 'success', ahead: false }])
})

void t.test('expiry, and a secret that backs a certificate', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('short', 'x', { attributes: { exp: 2_000_000_000, nbf: 1_000_000_000 } })
  t.match((await vault.get('secret', 'short', undefined, never)).attributes, { expires: 2_000_000_000, notBefore: 1_000_000_000 }) // prettier-ignore
  const { cert, key } = leaf()
  store.importCertificate('web', { value: key + cert })
  t.match(await vault.get('secret', 'web', undefined, never), {
    contentType: 'application/x-pem-file',
    keyId: /\/keys\/web\//,
    content: { secret: key + cert },
  })
})

void t.test('keys, as the vault gives them', async (t) => {
  const { store, vault } = fresh()
  for (const [name, request, members] of [
    ['rsa', { kty: 'RSA' }, ['kty', 'n', 'e']],
    ['hsm', { kty: 'RSA-HSM' }, ['kty', 'n', 'e']],
    ['ec', { kty: 'EC', curve: 'P-384' }, ['kty', 'crv', 'x', 'y']],
  ] as const) {
    const { content, id } = await store.createKey(name, request)
    const got = await vault.get('key', name, undefined, never)
    t.match(got, { type: 'key', name, version: id })
    const { kty, n, e, crv, x, y } = content.jwk
    t.strictSame(got.content, { key: JSON.parse(JSON.stringify({ kty, n, e, crv, x, y })) as unknown })
    t.strictSame(Object.keys((got.content as { key: object }).key), members)
  }
})

void t.test('certificates', async (t) => {
  const { store, vault } = fresh()
  const { cert, key } = leaf()
  const { id } = store.importCertificate('web', { value: cert + key })
  const got = await vault.get('cert', 'web', undefined, never)
  const { certificate } = got.content as { certificate: Uint8Array }
  const x509 = new X509Certificate(cert)
  t.ok(Buffer.from(certificate).equals(x509.raw))
  t.match(got, { version: id, attributes: { expires: Date.parse(x509.validTo) / 1000 } })
  const thumbprint = Buffer.from(x509.fingerprint.replaceAll(':', ''), 'hex').toString('base64url')
  t.equal(got.attributes.thumbprint, thumbprint)
  t.strictSame((await vault.list('cert', never)).items.get('web'), got.attributes, 'the list says the same')
  t.match(await vault.get('cert', 'web', id, never), { version: id })

  store.setPendingCertificate('new')
  const pending = await failure(vault.get('cert', 'new', undefined, never))
  t.match(pending, { kind: 'pending', transient: true, message: /cert new: the certificate is still in creation$/ })
})

void t.test('a list has every page, by name in lower case', async (t) => {
  const { store, vault } = fresh()
  for (let i = 0; i < 60; i++) store.setSecret(`Item-${i}`, 'x')
  store.update('secrets', 'Item-7', { enabled: false })
  const { items, pages } = await vault.list('secret', never)
  t.strictSame([items.size, pages], [60, 3])
  t.match(items.get('item-29'), { enabled: true, updated: Number, created: Number })
  t.match(items.get('item-7'), { enabled: false })
  t.match(stage.requests, [{ operation: 'list', type: 'secret', object: undefined, requests: 4 }])
  stage.emulator.journal.reset()
  const { vault: small, store: few } = fresh()
  few.setSecret('a', 'x')
  await small.list('secret', never)
  stage.emulator.journal.reset()
  t.equal((await small.list('secret', never)).pages, 1)
  t.strictSame(stage.emulator.journal.counts(), { 'secrets.list': 1 }, 'a quiet poll is one request')
})

void t.test('every version, disabled ones too', async (t) => {
  const { store, vault } = fresh()
  const ids = Array.from({ length: 30 }, (_, i) => store.setSecret('db', `v${i}`).id)
  store.update('secrets', 'db', { enabled: false }, ids[3])
  const versions = await vault.versions('secret', 'DB', never)
  t.strictSame(new Set(versions.map(({ version }) => version)), new Set(ids))
  t.equal(versions.find(({ version }) => version === ids[3])?.attributes.enabled, false)
  t.match(stage.requests, [{ operation: 'versions', object: 'DB' }])
  await store.createKey('k', { kty: 'EC' })
  store.importCertificate('c', { value: leaf().cert + leaf().key })
  for (const [type, name] of [
    ['key', 'k'],
    ['cert', 'c'],
  ] as const) {
    t.equal((await vault.versions(type, name, never)).length, 1)
  }
})

void t.test('latest is the newest version even when it is disabled', async (t) => {
  const { store, vault } = fresh()
  const attributes = { enabled: false }
  const first = store.setSecret('db', 'old')
  store.setSecret('db', 'new', { attributes })
  await store.createKey('k', { kty: 'EC', attributes })
  const { cert, key } = leaf()
  store.importCertificate('c', { value: cert + key, attributes })
  for (const [type, name] of [
    ['secret', 'db'],
    ['key', 'k'],
    ['cert', 'c'],
  ] as const) {
    const failed = await failure(vault.get(type, name, undefined, never))
    t.match(failed, {
      kind: 'disabled',
      transient: false,
      message: /this version is disabled; enable it or add a new one$/,
    })
  }
  t.ok(await vault.get('secret', 'db', first.id, never), 'another version is not')
})

void t.test('what is not there', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('only-secret', 'x')
  for (const [type, name, version] of [
    ['secret', 'none'],
    ['key', 'only-secret'],
    ['cert', 'none'],
    ['secret', 'only-secret', '0'.repeat(32)],
  ] as const) {
    // prettier-ignore
    t.match(await failure(vault.get(type, name, version, never)), { kind: 'gone', status: 404 }, `${type} ${name}`)
  }
  const notFound = stage.vault('no-such-vault')
  t.equal((await failure(notFound.get('secret', 'x', undefined, never))).kind, 'not-found', "somebody else's 404")
})

void t.test('roles on single objects do not cover the list', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('mine', 'x')
  stage.emulator.access.set(stage.clientId, [{ object: 'secrets/mine' }])
  t.ok(await vault.get('secret', 'mine', undefined, never))
  t.match(await failure(vault.list('secret', never)), {
    kind: 'forbidden',
    code: 'ForbiddenByRbac',
    message: new RegExp(`list of secrets: 403 ForbiddenByRbac: identity ${stage.clientId} may not list it; grant "Key Vault Secrets User"$`), // prettier-ignore
  })
  t.match(await failure(vault.get('secret', 'other', undefined, never)), { code: 'ForbiddenByRbac' })
  store.authorization = 'access-policy'
  t.match(await failure(vault.get('key', 'k', undefined, never)), { code: 'AccessDenied', message: /"get" to its key permissions/ }) // prettier-ignore
})

void t.test('what the emulator can be told to do', async (t) => {
  const cases: [fault: Parameters<Stage['emulator']['fault']>[0]['fault'], expected: object][] = [
    [{ kind: 'throttle' }, { kind: 'throttled', code: 'Throttled', retryAfter: undefined }],
    [
      { kind: 'throttle', retryAfter: 20 },
      { kind: 'throttled', retryAfter: 20_000 },
    ],
    [
      { kind: 'forbid', inner: 'ForbiddenByFirewall' },
      { kind: 'forbidden', code: 'ForbiddenByFirewall' },
    ],
    [{ kind: 'forbid', inner: 'SecretDisabled' }, { kind: 'disabled' }],
    [
      { kind: 'status', status: 500 },
      { kind: 'unavailable', status: 500 },
    ],
    [
      { kind: 'status', status: 403, body: '' },
      { kind: 'forbidden', status: 403 },
    ],
    [
      { kind: 'status', status: 403, body: 'null' },
      { kind: 'forbidden', status: 403 },
    ],
    [
      { kind: 'garbage', body: 'html' },
      { kind: 'malformed', status: 200 },
    ],
    [
      { kind: 'garbage', body: 'truncated' },
      { kind: 'malformed', status: 200 },
    ],
    [{ kind: 'cut' }, { kind: 'network' }],
    [
      { kind: 'redirect', location: 'https://elsewhere.example/' },
      { kind: 'malformed', status: 307 },
    ],
  ]
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  await vault.get('secret', 'db', undefined, never)
  for (const [fault, expected] of cases) {
    stage.emulator.journal.reset()
    const { remove } = stage.emulator.fault({ match: { operation: 'secrets.get' }, fault })
    t.match(await failure(vault.get('secret', 'db', undefined, never)), expected, JSON.stringify(fault))
    if (fault.kind !== 'cut') t.equal(stage.emulator.journal.count('*'), 1, 'asked once')
    remove()
  }
})

void t.test('all at once sign in once, whatever they read', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  await store.createKey('k', { kty: 'EC' })
  await Promise.all([
    vault.get('secret', 'db', undefined, never),
    vault.get('secret', 'db', undefined, never),
    vault.get('key', 'k', undefined, never),
    vault.list('cert', never),
  ])
  t.equal(stage.emulator.journal.count('token'), 1)
})

void t.test('the token file is read at each exchange', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  const token = stage.issuer.token({ namespace: 'shop', serviceAccount: 'web' })
  writeFileSync(stage.tokenFile, stage.issuer.token({ namespace: 'shop', serviceAccount: 'other' }))
  const refused = await failure(vault.get('secret', 'db', undefined, never))
  t.match(refused, { code: 'AADSTS70021', kind: 'sign-in-unavailable' })
  for (const part of [
    stage.issuer.issuer,
    'system:serviceaccount:shop:other',
    'api://AzureADTokenExchange',
    stage.clientId,
  ]) {
    t.ok(refused.message.includes(part), part)
  }
  t.notMatch(refused.message, /eyJ/, 'but never the token')
  t.match(stage.signIns, [{ outcome: 'sign-in-unavailable', code: 'AADSTS70021' }])
  t.match(stage.requests, [{ outcome: 'sign-in-unavailable', code: 'AADSTS70021' }])

  writeFileSync(stage.tokenFile, token)
  const { vault: another } = { vault: stage.vault('kv-1') }
  t.ok(await another.list('secret', never))

  rmSync(stage.tokenFile)
  const { vault: third } = fresh()
  t.match(await failure(third.list('secret', never)), { kind: 'sign-in', code: 'ENOENT', message: /the pod's token cannot be read/ }) // prettier-ignore
  writeFileSync(stage.tokenFile, ' \n')
  t.match(await failure(stage.vault('kv-1').list('secret', never)), { kind: 'sign-in', message: /is empty$/ })
  writeFileSync(stage.tokenFile, `${token}\n`)
})

void t.test('a revoked token is replaced, once in a poll', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('db', 'x')
  vault.beginPoll()
  await vault.get('secret', 'db', undefined, never)
  stage.emulator.tokens.revoke()
  stage.emulator.journal.reset()
  vault.beginPoll()
  t.ok(await vault.get('secret', 'db', undefined, never))
  t.strictSame(stage.emulator.journal.counts(), { token: 1, 'secrets.get': 2 })

  stage.emulator.fault({ match: { operation: 'secrets.get' }, fault: { kind: 'unauthorized' } })
  stage.emulator.journal.reset()
  vault.beginPoll()
  for (let i = 0; i < 3; i++) {
    t.match(await failure(vault.get('secret', 'db', undefined, never)), { kind: 'unauthorized', status: 401 })
  }
  t.strictSame(stage.emulator.journal.counts(), { token: 1, 'secrets.get': 4 })
})

void t.test('a challenge that names another tenant', async (t) => {
  const { store, name, vault } = fresh()
  store.setSecret('db', 'x')
  const tenant = '11111111-2222-4333-8444-555555555555'
  stage.emulator.fault({ match: { operation: 'secrets.get' }, fault: { kind: 'wrong-tenant', tenant } })
  const failed = await failure(vault.get('secret', 'db', undefined, never))
  t.match(failed, { kind: 'sign-in', code: 'TenantMismatch' })
  t.match(failed.message, `vault ${name}, secret db: it belongs to tenant ${tenant}, but the pod signs in at tenant ${stage.emulator.tenant}`) // prettier-ignore
  t.equal(stage.emulator.journal.count('token'), 0)
})

void t.test('an outage of the sign-in service across the token’s expiry', async (t) => {
  // The emulator keeps its own clock; only the sidecar's is turned.
  const clock = { now: Date.now() }
  const { store, vault } = fresh({ effects: { now: () => clock.now, random: () => 0 } })
  store.setSecret('db', 'x')
  const poll = () => vault.list('secret', never)
  await poll()
  const outage = stage.emulator.fault({ match: { operation: 'token' }, fault: { kind: 'status', status: 503 } })
  clock.now += 50 * 60_000
  for (let i = 0; i < 3; i++) t.ok(await poll(), 'the token is still good')
  clock.now += 20 * 60_000
  for (let i = 0; i < 3; i++) {
    t.match(await failure(poll()), { kind: 'sign-in-unavailable', status: 503, transient: true })
  }
  t.match(stage.signIns.at(-1), { outcome: 'sign-in-unavailable', ahead: false })
  outage.remove()
  t.ok(await poll())
})

void t.test('a sign-in service that hangs is named', async (t) => {
  const { store, vault } = fresh({ effects: { timeout: 1000 } })
  store.setSecret('db', 'x')
  const { remove } = stage.emulator.fault({ match: { operation: 'token' }, fault: { kind: 'hang' } })
  const [first, second] = await Promise.all([
    failure(vault.get('secret', 'db', undefined, never)),
    failure(vault.get('secret', 'db', undefined, never)),
  ])
  for (const failed of [first, second]) {
    t.match(failed, { kind: 'sign-in-unavailable', message: /the sign-in service gave no complete answer within 1 s$/ })
  }
  remove()
})

void t.test('clients of other types are made at first use, once', async (t) => {
  const { store, vault } = fresh()
  await store.createKey('k', { kty: 'EC' })
  for (let i = 0; i < 2; i++) {
    await Promise.all((['key', 'cert', 'secret'] satisfies ObjectType[]).map((type) => vault.list(type, never)))
  }
  t.equal(stage.emulator.journal.count('challenge'), 3)
})
