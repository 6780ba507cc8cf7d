import t, { type Test } from 'tap'
import type { FindSpec } from '../../../shared/objects/find.ts'
import { objectOf, settingsWith } from '../../support/settings.ts'
import { findSpec } from '../../support/find-spec.ts'
import { emulatorPod } from '../../support/emulator-pod.ts'

const web = { app: 'web' }
const past = () => ({ updated: Math.floor(Date.now() / 1000) - 3600 })
const name = (index: number) => `s-${String(index).padStart(3, '0')}`

/** 300 secrets, 12 pages; every tenth has a tag, and was changed an hour ago. */
const podWith300 = (t: Test, finds: Partial<FindSpec>[], options: { maxMatches?: number; named?: string[] } = {}) =>
  emulatorPod(t, (vault) =>
    settingsWith(
      (options.named ?? []).map((text) => objectOf(text, { vault })),
      {
        find: {
          maxPages: 200,
          maxMatches: options.maxMatches ?? 100,
          finds: finds.map((one) => findSpec({ vault, group: 'web', ...one })),
        },
        templates: { list: '{% for one in groups.web %}{{ one.name }}={{ one.value }}\n{% endfor %}' },
      },
    ),
  ).then((pod) => {
    for (let index = 0; index < 300; index++)
      pod.vault.setSecret(name(index), `value ${index}`, {
        attributes: past(),
        ...(index % 10 === 0 && { tags: web }),
      })
    return pod
  })

void t.test('find among 300 secrets: pages and what is new or changed are all that is requested', async (t) => {
  const pod = await podWith300(t, [{ tags: web, group: 'web' }])
  const { vault } = pod
  const first = await pod.poll()
  t.strictSame(first.requests, { 'secrets.list': 12, 'secrets.get': 30 })
  t.equal(pod.files().length, 31)
  t.equal(pod.text('list').split('\n').length, 31)
  t.match(pod.text('list'), /^s-000=value 0\ns-010=value 10\n/)
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12 }, 'nothing changed')

  vault.setSecret('s-005', 'five', { tags: web, attributes: past() })
  vault.setSecret('s-010', 'ten', { tags: web, attributes: { updated: past().updated + 1 } })
  const added = await pod.poll()
  t.strictSame(added.requests, { 'secrets.list': 12, 'secrets.get': 2 }, 'one added, one changed')
  t.match(pod.text('list'), /^s-000=value 0\ns-005=five\ns-010=ten\n/)
  t.equal(added.result.switched?.paths.size, 3, 'both files and the list')
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12 })

  // Within one second: the list shows tags, not only times.
  vault.update('secrets', 's-020', past(), undefined, { app: 'api' })
  vault.update('secrets', 's-021', past(), undefined, { app: 'api' })
  vault.update('secrets', 's-021', past(), undefined, web)
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12, 'secrets.get': 1 })
  t.notOk(pod.files().includes('s-020'), 'without the tag')
  t.ok(pod.files().includes('s-021'), 'with it')

  vault.update('secrets', 's-030', past(), undefined, {})
  vault.delete('secrets', 's-040')
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12 })
  t.strictSame(
    ['s-030', 's-040'].filter((path) => pod.files().includes(path)),
    [],
  )
  vault.recover('secrets', 's-040')
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12, 'secrets.get': 1 })
  t.equal(pod.text('s-040'), 'value 40')
  t.equal(pod.context.failures.get('/find/0'), undefined)
})

void t.test('find among 300 secrets: a list that breaks off at page 5 removes nothing', async (t) => {
  const pod = await podWith300(t, [{ tags: web }])
  await pod.poll()
  const files = pod.files()
  t.equal(files.length, 31, 'the matches and the list of them')
  for (const fault of [
    { kind: 'status', status: 503 },
    { kind: 'throttle' },
    { kind: 'reset' },
    { kind: 'garbage', body: 'null-list' },
    { kind: 'garbage', body: 'null' },
    { kind: 'garbage', body: 'html' },
    { kind: 'forbid', inner: 'ForbiddenByRbac' },
    { kind: 'next-link', to: 'https://elsewhere.example/secrets' },
  ] as const) {
    await t.test(JSON.stringify(fault), async (t) => {
      pod.vault.delete('secrets', 's-290')
      pod.vault.update('secrets', 's-280', {}, undefined, {})
      const { remove } = pod.fixture.emulator.fault({
        ...{ match: { operation: 'secrets.list' }, fault, above: { requests: 4, window: 60_000 } },
      })
      const { result } = await pod.poll()
      remove()
      t.strictSame(pod.files(), files)
      t.ok(result.read.search?.failures.has(0))
      t.ok(pod.context.failures.has('/find/0'))
      pod.vault.recover('secrets', 's-290')
      pod.vault.update('secrets', 's-280', past(), undefined, web)
      await pod.poll()
      t.notOk(pod.context.failures.has('/find/0'))
      t.strictSame(pod.files(), files)
    })
  }
})

void t.test('find among 300 secrets: a limit that is passed later keeps the last good selection', async (t) => {
  const pod = await podWith300(t, [{ tags: web }], { maxMatches: 30 })
  await pod.poll()
  const files = pod.files()
  t.equal(files.length, 31, 'the matches and the list of them')
  pod.vault.update('secrets', 's-001', past(), undefined, web)
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12 })
  t.strictSame(pod.files(), files)
  t.match(pod.context.failures.get('/find/0')?.message, /with tag app=web: 31 objects match, and at most 30 may: /)
  pod.vault.update('secrets', 's-000', past(), undefined, {})
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12, 'secrets.get': 1 })
  t.notOk(pod.context.failures.has('/find/0'))
})

void t.test('find among 300 secrets: named objects are decided by the same list', async (t) => {
  const pod = await podWith300(t, [{ name: 's-00*', group: 'web' }, { name: 's-29*' }], {
    named: ['s-100', 's-101', 's-102'],
  })
  t.strictSame((await pod.poll()).requests['secrets.get'], 3 + 20 + 3, 'all, and the named ones once more to confirm')
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 12 }, 'one list for both finds and the named objects')
})

void t.test('find: without the right to list, the message names the role', async (t) => {
  const pod = await podWith300(t, [{ tags: web }])
  const { emulator, clientId } = pod.fixture
  emulator.access.set(clientId, [{ object: 'secrets/*', verbs: ['get'] }])
  await pod.poll()
  t.equal(
    pod.context.failures.get('/find/0')?.message,
    `vault my-kv, list of secrets: 403 ForbiddenByRbac: identity ${clientId} is not allowed to list it; grant "Key Vault Secrets User" (for the whole vault, because a find lists it)`,
  )
})

void t.test('find: keys and certificates by tag', async (t) => {
  const pod = await emulatorPod(t, (vault) =>
    settingsWith([], {
      find: {
        ...{ maxPages: 200, maxMatches: 100 },
        finds: [
          findSpec({ vault, type: 'key', tags: web, path: 'keys/{name}.pem' }),
          findSpec({ vault, type: 'cert', name: '*-tls', path: 'certs/{name}.pem' }),
          findSpec({ vault, name: 'web-tls', path: 'tls/{name}.pem', split: true }),
        ],
      },
    }),
  )
  await pod.vault.createKey('signing', { kty: 'EC', tags: web, attributes: past() })
  await pod.vault.createKey('other', { kty: 'EC', attributes: past() })
  const made = pod.fixture.emulator.authority?.issue({ names: ['web.example'] })
  pod.vault.importCertificate('web-tls', { value: `${made?.key}${made?.cert}`, attributes: past() })
  const { requests } = await pod.poll()
  t.strictSame(requests, {
    ...{ 'keys.list': 1, 'certificates.list': 1, 'secrets.list': 1 },
    ...{ 'keys.get': 1, 'certificates.get': 1, 'secrets.get': 1 },
  })
  t.match(pod.text('keys/signing.pem'), /BEGIN PUBLIC KEY/)
  t.match(pod.text('certs/web-tls.pem'), /BEGIN CERTIFICATE/)
  t.match(pod.text('tls/web-tls.pem.key'), /BEGIN PRIVATE KEY/)
})

void t.test('find: 41 pages and more, up to the limit', async (t) => {
  const pod = await emulatorPod(t, (vault) =>
    settingsWith([], { find: { maxPages: 42, maxMatches: 1, finds: [findSpec({ vault, tags: web })] } }),
  )
  for (let index = 0; index < 1050; index++) pod.vault.setSecret(`s-${index}`, 'x', { attributes: past() })
  pod.vault.update('secrets', 's-7', past(), undefined, web)
  t.strictSame((await pod.poll()).requests, { 'secrets.list': 42, 'secrets.get': 1 })
  pod.vault.setSecret('s-1050', 'x')
  await pod.poll()
  t.match(
    pod.context.failures.get('/find/0')?.message,
    /there are more than 42 pages: a find needs all of them; .*find\.maxPages/,
  )
})
