import t from 'tap'
import type { PipelinePolicy } from '@azure/core-rest-pipeline'
import type { SecretClient } from '@azure/keyvault-secrets'
import { failureOf, startFixture, type EmulatorFixture } from './sdk.ts'

let fixture: EmulatorFixture
let clock = Date.UTC(2030, 0, 1)
let client: SecretClient
t.before(async () => {
  fixture = await startFixture({ now: () => clock, tokenLifetime: 30 * 24 * 3600 })
  fixture.emulator.vault('my-kv')
  client = fixture.secrets('my-kv')
})
t.teardown(() => fixture.end())

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

void t.test('emulator secrets: a write and a read take one challenge and one sign-in', async (t) => {
  fixture.emulator.journal.reset()
  const written = await client.setSecret('db-password', 'first', { contentType: 'text/plain', tags: { team: 'shop' } })
  const read = await client.getSecret('db-password')
  t.match(read, { name: 'db-password', value: 'first' })
  const { version } = written.properties
  t.match(read.properties, { version, contentType: 'text/plain', tags: { team: 'shop' }, enabled: true })
  t.equal(read.properties.id, `${fixture.emulator.url('my-kv')}secrets/db-password/${version}`)
  t.match(version, /^[0-9a-f]{32}$/)
  const counts = { openid: 1, token: 1, challenge: 1, 'secrets.set': 1, 'secrets.get': 1 }
  t.strictSame(fixture.emulator.journal.counts(), counts)
})

void t.test('emulator secrets: names are case-insensitive, and ids keep the original case', async (t) => {
  await client.setSecret('Mixed-Case', 'one')
  await client.setSecret('mixed-case', 'two')
  const read = await client.getSecret('MIXED-CASE')
  t.equal(read.value, 'two')
  t.equal(read.name, 'Mixed-Case')
  t.equal((await all(client.listPropertiesOfSecretVersions('mixed-CASE'))).length, 2)
})

void t.test(
  'emulator secrets: times are whole seconds of the emulator’s clock, and two writes in one second look alike in a list',
  async (t) => {
    clock = Date.UTC(2030, 0, 2) + 300
    await client.setSecret('twice', 'one')
    const before = await listed('twice')
    clock += 400
    await client.setSecret('twice', 'two')
    t.strictSame(await listed('twice'), before)
    t.equal(before?.updatedOn?.getTime(), Date.UTC(2030, 0, 2))
    clock += 1000
    await client.setSecret('twice', 'three')
    t.equal((await listed('twice'))?.updatedOn?.getTime(), Date.UTC(2030, 0, 2) + 1000)
  },
)

const listed = async (name: string) => (await all(client.listPropertiesOfSecrets())).find((one) => one.name === name)

void t.test('emulator secrets: an older version is read by its id', async (t) => {
  const first = await client.setSecret('pinned', 'one')
  await client.setSecret('pinned', 'two')
  const { version } = first.properties
  t.equal((await client.getSecret('pinned', version ? { version } : {})).value, 'one')
  t.equal((await client.getSecret('pinned')).value, 'two')
})

void t.test('emulator secrets: 60 secrets are listed on three pages, without values and versions', async (t) => {
  const vault = fixture.emulator.vault('many')
  for (let i = 0; i < 60; i++) vault.setSecret(`s-${i}`, `value ${i}`, { contentType: 'text/plain' })
  const many = fixture.secrets('many')
  fixture.emulator.journal.reset()
  const found = await all(many.listPropertiesOfSecrets())
  t.equal(new Set(found.map((one) => one.name)).size, 60)
  t.equal(fixture.emulator.journal.count('secrets.list', 'many'), 3)
  t.ok(found.every((one) => one.version === undefined && one.contentType === 'text/plain' && one.enabled))
  t.notMatch(JSON.stringify(found), /value \d/)

  fixture.emulator.journal.reset()
  await all(many.listPropertiesOfSecrets().byPage({ maxPageSize: 10 }))
  t.equal(fixture.emulator.journal.count('secrets.list'), 6, 'maxresults is honoured')
})

void t.test('emulator secrets: a list continues correctly if secrets are added and deleted meanwhile', async (t) => {
  const vault = fixture.emulator.vault('moving')
  for (const letter of 'bcdefg') vault.setSecret(letter, letter)
  const pages = fixture.secrets('moving').listPropertiesOfSecrets().byPage({ maxPageSize: 2 })
  const names: string[] = []
  for await (const page of pages) {
    names.push(...page.map((one) => one.name))
    vault.setSecret('a', 'before all')
    vault.delete('secrets', 'd')
  }
  t.strictSame(names, ['b', 'c', 'e', 'f', 'g'])
})

void t.test('emulator secrets: versions are listed in pages, with their own attributes', async (t) => {
  const vault = fixture.emulator.vault('history')
  for (let i = 0; i < 30; i++) {
    clock += 1000
    vault.setSecret('rotated', `value ${i}`)
  }
  fixture.emulator.journal.reset()
  const versions = await all(fixture.secrets('history').listPropertiesOfSecretVersions('rotated'))
  t.equal(fixture.emulator.journal.count('secrets.versions'), 2)
  t.equal(new Set(versions.map((one) => one.version)).size, 30)
  t.equal(new Set(versions.map((one) => one.createdOn?.getTime())).size, 30)
  const absent = await all(fixture.secrets('history').listPropertiesOfSecretVersions('absent'))
  t.strictSame(absent, [], 'as of the service, there are none of what does not exist')
})

void t.test('emulator secrets: attributes can change, and only enabled stops a read', async (t) => {
  const { properties } = await client.setSecret('attributes', 'value')
  const version = properties.version ?? ''
  const past = new Date(Date.UTC(2001, 0, 1))
  const future = new Date(Date.UTC(2100, 0, 1))
  clock += 5000
  const changed = await client.updateSecretProperties('attributes', version, { expiresOn: past, notBefore: future })
  t.match(changed, { expiresOn: past, notBefore: future })
  t.equal(changed.updatedOn?.getTime(), (properties.createdOn?.getTime() ?? 0) + 5000)
  t.equal((await client.getSecret('attributes')).value, 'value')

  await client.updateSecretProperties('attributes', version, { enabled: false })
  t.match(await failureOf(client.getSecret('attributes')), { status: 403, code: 'Forbidden', inner: 'SecretDisabled' })
  t.equal((await listed('attributes'))?.enabled, false)
  await client.updateSecretProperties('attributes', version, { enabled: true })
  t.equal((await client.getSecret('attributes')).value, 'value')
})

void t.test('emulator secrets: the newest version is the latest even if it is disabled', async (t) => {
  await client.setSecret('half', 'old')
  await client.setSecret('half', 'new', { enabled: false })
  t.match(await failureOf(client.getSecret('half')), { status: 403, inner: 'SecretDisabled' })
})

void t.test(
  'emulator secrets: a missing secret or version is 404 SecretNotFound, and its list of versions is empty',
  async (t) => {
    const known = { status: 404, code: 'SecretNotFound' }
    await client.setSecret('present', 'value')
    t.match(await failureOf(client.getSecret('absent')), known)
    t.match(await failureOf(client.getSecret('present', { version: 'f'.repeat(32) })), known)
    t.strictSame(await all(client.listPropertiesOfSecretVersions('absent')), [])
  },
)

void t.test('emulator secrets: a deleted secret keeps its name until it is purged, and can be recovered', async (t) => {
  await client.setSecret('gone', 'value')
  const before = await listed('gone')
  const poller = await client.beginDeleteSecret('gone', { intervalInMs: 1 })
  const deleted = await poller.pollUntilDone()
  t.match(deleted, { name: 'gone', recoveryId: `${fixture.emulator.url('my-kv')}deletedsecrets/gone` })
  t.match(await failureOf(client.getSecret('gone')), { status: 404, code: 'SecretNotFound' })
  t.equal(await listed('gone'), undefined)
  t.match(await failureOf(client.setSecret('gone', 'again')), { status: 409, inner: 'ObjectIsDeletedButRecoverable' })

  clock += 60_000
  await (await client.beginRecoverDeletedSecret('gone', { intervalInMs: 1 })).pollUntilDone()
  t.equal((await client.getSecret('gone')).value, 'value')
  t.strictSame(await listed('gone'), before, 'and `updated` is what it was')

  await (await client.beginDeleteSecret('gone', { intervalInMs: 1 })).pollUntilDone()
  await client.purgeDeletedSecret('gone')
  await client.setSecret('gone', 'anew')
  t.equal((await client.getSecret('gone')).value, 'anew')
})

void t.test('emulator secrets: malformed requests are 400 BadParameter', async (t) => {
  const bad = { status: 400, code: 'BadParameter' }
  t.match(await failureOf(client.setSecret('under_score', 'value')), bad)
  t.match(await failureOf(client.setSecret('big', 'x'.repeat(25 * 1024 + 1))), bad)
  await client.setSecret('big', 'x'.repeat(25 * 1024))
  t.match(await failureOf(all(client.listPropertiesOfSecrets().byPage({ maxPageSize: 26 }))), bad)
  const unversioned = fixture.secrets('my-kv', undefined, {
    additionalPolicies: [{ policy: withoutVersion, position: 'perRetry' }],
  })
  t.match(await failureOf(unversioned.getSecret('big')), bad, 'no api-version')
})

const withoutVersion: PipelinePolicy = {
  name: 'withoutVersion',
  sendRequest(request, next) {
    request.url = request.url.replace(/api(-|%2D)version=[^&]*/, '')
    return next(request)
  },
}
