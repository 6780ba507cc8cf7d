import { X509Certificate } from 'node:crypto'
import t from 'tap'
import type { ObjectType } from '../../../../shared/objects/formats.ts'
import { mostVersions } from '../../../../shared/vault/store.ts'
import { failure, never, shareVaultFixture } from '../fixture.ts'

const { fixture, fresh } = await shareVaultFixture(t)

const leaf = () => fixture.emulator.authority!.issue({ names: ['web.example'] })

void t.test('Key Vault client: a secret is read after one challenge and one sign-in', async (t) => {
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
  t.strictSame(fixture.emulator.journal.counts(), { challenge: 1, token: 1, 'secrets.get': 2 })
  const { clientId } = fixture
  const about = { vault: name, operation: 'get', type: 'secret', version: written.id, identity: clientId, status: 200 }
  t.match(fixture.requests, [
    { ...about, object: 'DB-Password', outcome: 'success', requests: 2 },
    { ...about, object: 'db-password', outcome: 'success', requests: 1 },
  ])
  t.match(fixture.signIns, [{ identity: clientId, tenant: fixture.emulator.tenant, outcome: 'success', ahead: false }])
})

void t.test('Key Vault client: expiry and the key of a secret that backs a certificate are read', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('short', 'x', { attributes: { exp: 2_000_000_000, nbf: 1_000_000_000 } })
  t.match((await vault.get('secret', 'short', undefined, never)).attributes, {
    expires: 2_000_000_000,
    notBefore: 1_000_000_000,
  })
  const { cert, key } = leaf()
  store.importCertificate('web', { value: key + cert })
  t.match(await vault.get('secret', 'web', undefined, never), {
    contentType: 'application/x-pem-file',
    keyId: /\/keys\/web\//,
    content: { secret: key + cert },
  })
})

void t.test('Key Vault client: keys are read as the vault returns them', async (t) => {
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

void t.test('Key Vault client: certificates are read', async (t) => {
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
  t.match(pending, {
    kind: 'pending',
    transient: true,
    message: /cert new: the certificate is pending: merge the signed request/,
  })
})

void t.test('Key Vault client: a list has every page, keyed by name in lower case', async (t) => {
  const { store, vault } = fresh()
  for (let i = 0; i < 60; i++) store.setSecret(`Item-${i}`, 'x')
  store.update('secrets', 'Item-7', { enabled: false })
  const { items, pages } = await vault.list('secret', never)
  t.strictSame([items.size, pages], [60, 3])
  t.match(items.get('item-29'), { enabled: true, updated: Number, created: Number })
  t.match(items.get('item-7'), { enabled: false })
  t.match(fixture.requests, [{ operation: 'list', type: 'secret', object: undefined, requests: 4 }])
  fixture.emulator.journal.reset()
  const { vault: small, store: few } = fresh()
  few.setSecret('a', 'x')
  await small.list('secret', never)
  fixture.emulator.journal.reset()
  t.equal((await small.list('secret', never)).pages, 1)
  t.strictSame(fixture.emulator.journal.counts(), { 'secrets.list': 1 }, 'a quiet poll is one request')
})

void t.test('Key Vault client: the list of versions includes disabled ones', async (t) => {
  const { store, vault } = fresh()
  const ids = Array.from({ length: 30 }, (_, i) => store.setSecret('db', `v${i}`).id)
  store.update('secrets', 'db', { enabled: false }, ids[3])
  const versions = await vault.versions('secret', 'DB', never, 50)
  t.strictSame(new Set(versions.map(({ version }) => version)), new Set(ids))
  t.equal(versions.find(({ version }) => version === ids[3])?.attributes.enabled, false)
  t.match(fixture.requests, [{ operation: 'versions', object: 'DB' }])
  t.match(await failure(vault.versions('secret', 'DB', never, 25)), { kind: 'selection', message: /more than 25, / })
  await store.createKey('k', { kty: 'EC' })
  store.importCertificate('c', { value: leaf().cert + leaf().key })
  for (const [type, name] of [
    ['key', 'k'],
    ['cert', 'c'],
  ] as const) {
    t.equal((await vault.versions(type, name, never)).length, 1)
  }
})

void t.test('Key Vault client: the latest version is the newest, even if it is disabled', async (t) => {
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
      message: /this version is disabled; enable it or add a new version$/,
    })
  }
  t.ok(await vault.get('secret', 'db', first.id, never), 'another version is not')
})

void t.test('Key Vault client: a missing object or version is a failure of its own kind', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('only-secret', 'x')
  for (const [type, name, version] of [
    ['secret', 'none'],
    ['key', 'only-secret'],
    ['cert', 'none'],
    ['secret', 'only-secret', '0'.repeat(32)],
  ] as const) {
    t.match(await failure(vault.get(type, name, version, never)), { kind: 'gone', status: 404 }, `${type} ${name}`)
  }
  const notFound = fixture.vault('no-such-vault')
  t.equal((await failure(notFound.get('secret', 'x', undefined, never))).kind, 'not-found', "somebody else's 404")
})

void t.test('Key Vault client: roles on single objects do not cover the list', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('mine', 'x')
  fixture.emulator.access.set(fixture.clientId, [{ object: 'secrets/mine' }])
  t.ok(await vault.get('secret', 'mine', undefined, never))
  t.match(await failure(vault.list('secret', never)), {
    kind: 'forbidden',
    code: 'ForbiddenByRbac',
    message: new RegExp(
      `list of secrets: 403 ForbiddenByRbac: identity ${fixture.clientId} is not allowed to list it; grant "Key Vault Secrets User"$`,
    ),
  })
  t.match(await failure(vault.get('secret', 'other', undefined, never)), { code: 'ForbiddenByRbac' })
  store.authorization = 'access-policy'
  t.match(await failure(vault.get('key', 'k', undefined, never)), {
    code: 'AccessDenied',
    message: /"get" to its key permissions/,
  })
})

void t.test("Key Vault client: the SDK's clients of other types are created once, at first use", async (t) => {
  const { store, vault } = fresh()
  await store.createKey('k', { kty: 'EC' })
  for (let i = 0; i < 2; i++) {
    await Promise.all((['key', 'cert', 'secret'] satisfies ObjectType[]).map((type) => vault.list(type, never)))
  }
  t.equal(fixture.emulator.journal.count('challenge'), 3)
})

void t.test('Key Vault client: a list that may have more pages may take longer', async (t) => {
  const { store, vault } = fresh({ effects: { timeoutMs: 1000 } })
  for (let index = 0; index < 130; index++) store.setSecret(`s-${index}`, 'x')
  await vault.list('secret', never)
  fixture.emulator.fault({ match: { operation: 'secrets.list' }, fault: { kind: 'delay', ms: 250 } })
  t.equal((await failure(vault.list('secret', never))).kind, 'timeout')
  const seen: string[] = []
  const { pages, items } = await vault.list('secret', never, { maxPages: 200, onItem: ({ name }) => seen.push(name) })
  t.strictSame([pages, items.size, seen.length], [6, 130, 130])
  fixture.emulator.faults.clear()
  t.equal((await failure(vault.list('secret', never, { maxPages: 5 }))).code, 'TooManyPages')
})

void t.test('Key Vault client: versions are listed beyond the pages of a list of objects, up to a limit', async (t) => {
  const { store, vault } = fresh()
  for (let version = 0; version < 1_001; version++) store.setSecret('db', 'x', { tags: { app: 'web' } })
  const versions = await vault.versions('secret', 'db', never)
  t.equal(versions.length, 1_001)
  t.strictSame(Object.keys(versions[0] ?? {}), ['version', 'attributes'])
  for (let version = 1_001; version < mostVersions; version++) store.setSecret('db', 'x')
  t.equal((await vault.versions('secret', 'db', never)).length, mostVersions)
  store.setSecret('db', 'x')
  t.match(await failure(vault.versions('secret', 'db', never)), {
    kind: 'selection',
    code: 'TooManyPages',
    outlook: 'permanent',
    transient: false,
    message:
      /^vault .*, versions of secret db: there are more than 5000, and history reads the list of all of them; leave history out/,
  })
})

void t.test('Key Vault client: only the caller of a list gets the tags', async (t) => {
  const { store, vault } = fresh()
  store.setSecret('Web-A', 'x', { tags: { app: 'web' } })
  const seen: unknown[] = []
  const { items } = await vault.list('secret', never, { onItem: (item) => seen.push(item) })
  t.strictSame(seen, [{ name: 'Web-A', tags: { app: 'web' } }])
  t.notOk('tags' in (items.get('web-a') ?? {}))
  t.notOk('tags' in (await vault.get('secret', 'web-a', undefined, never)))
})
