import t from 'tap'
import { app, asked, findingPod } from '../../support/finding-pod.ts'
import { podWith } from '../../support/sidecar-pod.ts'
import { objectOf } from '../../support/settings.ts'
import { chmodSync, writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from '../../../sidecar/volume/manifest.ts'

const minute = 60_000

void t.test('find: tagged objects become files beside the named ones', async (t) => {
  const pod = await findingPod(t, ['db-password'])
  await pod.start()
  t.strictSame(pod.files(), { 'db-password': 'db-password-1', 'web-a': 'web-a-1', 'web-b': 'web-b-1' })
  t.strictSame(asked(pod).toSorted(), ['db-password', 'list', 'web-a', 'web-b'])
  await pod.advance(4 * minute)
  t.strictSame(asked(pod), ['list', 'list'], 'a quiet poll is one list')
  t.strictSame(pod.notifications, [])
})

void t.test('find: added, changed, retagged, deleted and recovered', async (t) => {
  const pod = await findingPod(t)
  await pod.start()
  asked(pod)
  pod.vault.set('web-c', 'web-c-1', { tags: app })
  pod.vault.set('web-a', 'web-a-2')
  await pod.advance(2 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2', 'web-b': 'web-b-1', 'web-c': 'web-c-1' })
  t.strictSame(asked(pod).toSorted(), ['list', 'web-a', 'web-c'], 'a list, and what is new or changed')
  t.match(pod.notifications, [{ changed: [{ name: 'web-a' }, { name: 'web-c' }] }])
  t.match(pod.events('found').at(-1), { added: ['secret web-c'], removed: [] })

  pod.vault.tag('web-b', { app: 'api' })
  await pod.advance(2 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2', 'web-c': 'web-c-1' }, 'on-delete: retain is about deleted objects')
  t.match(pod.notifications.at(-1)?.changed, [{ type: 'secret', name: 'web-b', paths: ['web-b'] }])
  t.strictSame(asked(pod), ['list'])

  pod.vault.tag('web-b', app)
  pod.vault.tag('web-b', { app: 'api' })
  await pod.advance(2 * minute)
  t.notOk('web-b' in pod.files(), 'retagged twice within a second')
  t.strictSame(asked(pod), ['list'])

  pod.vault.delete('web-c')
  await pod.advance(2 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2' })
  pod.vault.recover('web-c')
  await pod.advance(2 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-2', 'web-c': 'web-c-1' })
  t.strictSame(asked(pod), ['list', 'list', 'web-c'])
  t.strictSame(pod.events('object'), [], 'no object failed')
})

void t.test('find: an incomplete list removes nothing', async (t) => {
  for (const kind of ['unavailable', 'timeout', 'throttled', 'malformed', 'forbidden', 'not-found'] as const) {
    await t.test(`find: a list that fails with ${kind} removes nothing`, async (t) => {
      const pod = await findingPod(t, [], { onDelete: 'delete' })
      await pod.start()
      pod.vault.fault = ({ operation }) => (operation === 'list' ? { kind } : undefined)
      pod.vault.delete('web-a')
      pod.vault.tag('web-b', {})
      await pod.advance(10 * minute)
      t.strictSame(pod.files(), { 'web-a': 'web-a-1', 'web-b': 'web-b-1' })
      t.match(pod.status().finds, [{ matches: 2, complete: true, problem: { kind } }])
      t.match(pod.events('find'), [{ state: 'failing' }])
      pod.vault.fault = () => undefined
      await pod.advance(10 * minute)
      t.strictSame(pod.files(), {})
      t.match(pod.events('find').at(-1), { state: 'recovered' })
    })
  }
})

void t.test('find: nothing found is a state', async (t) => {
  const pod = await findingPod(t, [], {
    finds: [{ tags: { app: 'none' }, group: 'none' }],
    templates: { list: '{% for one in groups.none %}{{ one.name }}{% endfor %}.' },
    bundles: { 'all.json': { format: 'json', groups: ['none'] }, '.env': 'dotenv' },
  })
  await pod.start()
  t.strictSame(pod.files(), { list: '.', 'all.json': '{}\n', '.env': '' })
  t.equal(pod.sidecar?.notReady(), undefined)
  const empty = await findingPod(t, [], { finds: [{ tags: { app: 'none' } }] })
  await empty.start()
  t.strictSame([empty.files(), empty.status().ready], [{}, true])
  empty.vault.set('x', 'x-1', { tags: { app: 'none' } })
  await empty.advance(3 * minute)
  t.strictSame(empty.files(), { x: 'x-1' })
})

void t.test('find: templates and bundles have the group in the order of names', async (t) => {
  const pod = await findingPod(t, ['db-password'], {
    finds: [
      { tags: app, group: 'web', path: 'web/{name}.txt' },
      { name: 'other', path: 'other' },
    ],
    templates: { list: '{% for one in groups.web %}{{ one.name }}={{ one.value }} in {{ one.path }}\n{% endfor %}' },
    bundles: {
      'web.env': { format: 'dotenv', groups: ['web'] },
      'both.json': { format: 'json', only: ['db-password'], groups: ['web'] },
      'all.json': 'json',
    },
  })
  await pod.start()
  const text = (path: string) => pod.files()[path]
  t.equal(text('list'), 'web-a=web-a-1 in web/web-a.txt\nweb-b=web-b-1 in web/web-b.txt\n')
  t.equal(text('web.env'), "WEB_A='web-a-1'\nWEB_B='web-b-1'\n")
  const web = { 'web-a': 'web-a-1', 'web-b': 'web-b-1' }
  t.strictSame(JSON.parse(text('both.json') ?? ''), { 'db-password': 'db-password-1', ...web })
  t.strictSame(JSON.parse(text('all.json') ?? ''), { 'db-password': 'db-password-1', ...web, other: 'other-1' })
  pod.vault.set('web-0', 'zero', { tags: app })
  pod.vault.tag('web-a', {})
  await pod.advance(3 * minute)
  t.equal(text('list'), 'web-0=zero in web/web-0.txt\nweb-b=web-b-1 in web/web-b.txt\n')
  t.equal(text('web.env'), "WEB_0='zero'\nWEB_B='web-b-1'\n")
})

void t.test('find: disabled objects are as named ones', async (t) => {
  const pod = await findingPod(t)
  pod.vault.update('web-a', { enabled: false })
  await pod.start()
  t.strictSame(pod.files(), {}, 'the first set waits for it')
  await pod.advance(minute)
  t.match(pod.end, { code: 1, reason: /web-a: disabled/ })

  const optional = await findingPod(t, [], { finds: [{ tags: app, optional: true }] })
  optional.vault.update('web-a', { enabled: false })
  await optional.start()
  t.strictSame(optional.files(), { 'web-b': 'web-b-1' })

  const later = await findingPod(t)
  await later.start()
  later.vault.update('web-a', { enabled: false })
  later.vault.set('web-c', 'web-c-1', { enabled: false, tags: app })
  later.vault.set('web-d', 'web-d-1', { tags: app })
  await later.advance(3 * minute)
  t.strictSame(
    later.files(),
    { 'web-a': 'web-a-1', 'web-b': 'web-b-1', 'web-d': 'web-d-1' },
    'the last good value stays, and a new match that cannot be read holds nothing back',
  )
  later.stop()
  await later.start()
  t.equal(later.status().ready, true, 'nor a restart')
  later.vault.update('web-c', { enabled: true })
  await later.advance(3 * minute)
  t.equal(later.files()['web-c'], 'web-c-1')
})

void t.test('find: an object that is also named is read once, and rendered for both', async (t) => {
  const named = objectOf('web-a', { path: 'named' })
  const pod = await findingPod(t, [], { objects: [named, objectOf('web-c', { path: 'late' })] })
  pod.vault.set('web-c', 'web-c-1')
  await pod.advance(minute)
  await pod.start()
  t.strictSame(pod.files(), { named: 'web-a-1', late: 'web-c-1', 'web-a': 'web-a-1', 'web-b': 'web-b-1' })
  t.equal(asked(pod).filter((one) => one === 'web-a').length, 1)
  pod.vault.tag('web-c', app)
  await pod.advance(3 * minute)
  t.equal(pod.files()['web-c'], 'web-c-1')
  pod.vault.tag('web-c', {})
  await pod.advance(3 * minute)
  t.strictSame([pod.files()['web-c'], pod.files()['late']], [undefined, 'web-c-1'])
})

void t.test('find: a match that two finds share, and whose tag only one of them wants', async (t) => {
  const pod = await findingPod(t, [], { finds: [{ tags: app }, { name: 'web-*', path: 'all/{name}' }] })
  await pod.start()
  pod.vault.tag('web-a', {})
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { 'web-b': 'web-b-1', 'all/web-a': 'web-a-1', 'all/web-b': 'web-b-1' })
})

void t.test('find: a restart serves the selection at once, and reads only what changed', async (t) => {
  const pod = await findingPod(t, ['db'], { templates: { n: '{{ groups.web | size }}' } })
  await pod.start()
  pod.stop()
  pod.vault.fault = () => ({ kind: 'network' })
  await pod.start()
  t.equal(pod.status().ready, true)
  t.strictSame(pod.files(), { db: 'db-1', n: '2', 'web-a': 'web-a-1', 'web-b': 'web-b-1' })
  pod.vault.fault = () => undefined
  pod.vault.delete('web-a')
  pod.vault.set('web-c', 'web-c-1', { tags: app })
  asked(pod)
  await pod.advance(10 * minute)
  t.strictSame(pod.files(), { db: 'db-1', n: '2', 'web-b': 'web-b-1', 'web-c': 'web-c-1' })
  t.strictSame(
    [...new Set(asked(pod))].filter((one) => one !== 'list'),
    ['web-c'],
  )
})

void t.test('find: a restart that cannot read the volume at first keeps each file with its match', async (t) => {
  const pod = await findingPod(t)
  await pod.start()
  pod.stop()
  pod.vault.set('web-0', 'web-0-1', { tags: app })
  pod.vault.fault = ({ name }) => (name === 'web-a' || name === 'web-b' ? { kind: 'forbidden' } : undefined)
  let reads = 0
  pod.wrapVolume = (volume) => ({
    clean: () => volume.clean(),
    notified: () => volume.notified(),
    markNotified: (id) => volume.markNotified(id),
    switchTo: (files, manifest) => volume.switchTo(files, manifest),
    read: () => (reads++ === 0 ? Promise.reject(new Error('not now')) : volume.read()),
  })
  await pod.start()
  await pod.advance(10_000)
  t.strictSame(pod.files(), { 'web-0': 'web-0-1', 'web-a': 'web-a-1', 'web-b': 'web-b-1' })
})

void t.test('find: a match that is accepted later without a change is rendered', async (t) => {
  const pod = await findingPod(t, [], { objects: [objectOf('web-c', { path: 'named' })], maxMatches: 2 })
  pod.vault.set('web-c', 'web-c-1')
  await pod.advance(minute)
  await pod.start()
  pod.vault.tag('web-c', app)
  await pod.advance(5 * minute)
  t.match(pod.status().finds, [{ matches: 2, problem: { kind: 'selection' } }])
  pod.vault.tag('web-b', {})
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { named: 'web-c-1', 'web-a': 'web-a-1', 'web-c': 'web-c-1' })
})

void t.test('find: a forged manifest adds nothing that the find could not select', async (t) => {
  const pod = await findingPod(t, [], { finds: [{ name: 'web-*', tags: app }] })
  await pod.start()
  pod.stop()
  const file = join(pod.mount, '..data/..manifest.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest
  const forged = {
    ...manifest,
    found: { ...manifest.found, 7: { find: 0, name: 'other' }, 8: { find: 5, name: 'web-x' } },
  }
  // It has no write permission, which does not keep its owner from changing it.
  chmodSync(file, 0o600)
  writeFileSync(file, JSON.stringify(forged))
  asked(pod)
  await pod.start()
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-1', 'web-b': 'web-b-1' })
  t.notOk(asked(pod).includes('other'))
})

void t.test('find: a vault that lists nonsense', async (t) => {
  const pod = await findingPod(t)
  await pod.start()
  for (const [name, spelled] of [
    ['x1', '../x'],
    ['x2', 'a/b'],
    ['x3', '\u202ename'],
    ['x4', ''],
    ['x5', 'y'.repeat(300)],
  ] as const) {
    pod.vault.set(name, 'x', { tags: app })
    pod.vault.spelled.set(name, spelled)
  }
  await pod.advance(3 * minute)
  t.strictSame(pod.files(), { 'web-a': 'web-a-1', 'web-b': 'web-b-1' })
  const [line] = pod.events('find')
  t.match(line?.['msg'], /left out: .*this is no name of an object.*, and 2 more/)
  t.notMatch(line?.['msg'], /\u202e/)
})

void t.test('find: without finds, nothing is listed that was not', async (t) => {
  const pod = await podWith(t, ['db'])
  await pod.start()
  t.equal(pod.status().finds, undefined)
  t.notMatch(pod.sidecar?.metrics(), /find_/)
  t.notOk('found' in (JSON.parse(readFileSync(join(pod.mount, '..data/..manifest.json'), 'utf8')) as object))
})
