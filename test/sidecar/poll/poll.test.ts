import t from 'tap'
import { SourceCache } from '../../../shared/detect/cache.ts'
import { Failures } from '../../../shared/detect/failures.ts'
import { createRenderer } from '../../../shared/render/renderer.ts'
import type { FileSet } from '../../../shared/render/rendered.ts'
import { fail, ok } from '../../../shared/result.ts'
import { differences } from '../../../sidecar/poll/compose.ts'
import type { PollContext } from '../../../sidecar/poll/context.ts'
import { pollVault } from '../../../sidecar/poll/poll.ts'
import type { Notification } from '../../../sidecar/notify/notification.ts'
import type { Manifest } from '../../../sidecar/volume/manifest.ts'
import type { StoredSet } from '../../../sidecar/volume/volume.ts'
import { VirtualClock } from '../../support/clock.ts'
import { FakeVault } from '../../support/fake-vault.ts'
import { objectOf, settingsWith, vaultUrl } from '../../support/settings.ts'

/** A poll of one vault with two objects, over a volume in memory that counts how often it is read. */
function stand(render?: PollContext['render']) {
  const objects = [objectOf('a'), objectOf('b')]
  const clock = new VirtualClock()
  const vault = new FakeVault({ now: clock.now, wait: clock.wait })
  for (const { name } of objects) vault.set(name, `${name}-1`)
  const settings = settingsWith(objects)
  const failures = new Failures(clock)
  const cache = new SourceCache(settings, { clock, random: () => 0.5, failures })
  const stopping = new AbortController()
  const notified: Notification[] = []
  const volume = {
    reads: 0,
    isServing: false,
    stored: undefined as StoredSet | undefined,
    error: undefined as Error | undefined,
    read: async () => {
      volume.reads++
      if (volume.error) throw volume.error
      return volume.stored
    },
    switchTo: async (files: FileSet, manifest: Manifest) => {
      volume.stored = { files, manifest }
      volume.isServing = true
    },
    notified: async () => undefined,
  }
  const context: PollContext = {
    vault: () => vault,
    abort: stopping.signal,
    clock,
    random: () => 0.5,
    settings,
    cache,
    failures,
    render: render ?? createRenderer(settings),
    volume,
    notify: (notification) => void notified.push(notification),
    volumeCheck: { dueAt: 0, isRestoring: false },
    quietMs: () => 0,
    isServing: () => volume.isServing,
    exclusively: (task) => task(),
  }
  const poll = () => pollVault(vaultUrl('my-kv'), context)
  const content = (path: string) => Buffer.from(volume.stored?.files.get(path)?.content ?? '').toString()
  return { clock, vault, settings, failures, cache, stopping, notified, volume, poll, content }
}

void t.test('poll: a change is read, rendered, switched in and announced', async (t) => {
  const { poll, vault, content, notified } = stand()
  t.match(await poll(), { missing: [], switched: { paths: new Set(['a', 'b']) } })
  t.equal(content('a'), 'a-1')
  t.strictSame(notified, [], 'the app has never seen another set')
  vault.set('a', 'a-2')
  const { switched, notification } = await poll()
  t.strictSame(switched?.paths, new Set(['a']))
  t.strictSame([content('a'), content('b')], ['a-2', 'b-1'])
  t.strictSame(notified, [notification])
  t.match(notification, { changed: [{ type: 'secret', name: 'a', paths: ['a'] }] })
})

void t.test('poll: a quiet poll leaves the volume alone until it is due to be compared', async (t) => {
  const { poll, clock, volume, settings } = stand()
  await poll()
  const { reads } = volume
  await poll()
  await poll()
  t.equal(volume.reads, reads)
  await clock.advance(settings.fullRefresh, async () => undefined)
  await poll()
  t.ok(volume.reads > reads)
})

void t.test('poll: what the end of the run cuts short changes nothing', async (t) => {
  const { poll, vault, stopping, volume, failures, cache } = stand()
  await poll()
  vault.set('a', 'a-2')
  vault.set('b', 'b-2')
  vault.before = () => stopping.abort()
  const { reads } = volume
  t.match(await poll(), { warnings: [], missing: [] })
  t.equal(volume.reads, reads)
  t.strictSame([failures.has(0), failures.has(1), cache.isPending], [false, false, false])
})

void t.test('poll: what is probably a mistake is a warning', async (t) => {
  const file = (path: string) => ({ path, content: Buffer.from(path) })
  const { poll } = stand({
    objects: async () =>
      new Map([
        [0, ok({ files: [file('a')], warnings: ['one', 'two'] })],
        [1, fail('it cannot be rendered')],
      ]),
    texts: async () => new Map(),
  })
  t.strictSame((await poll()).warnings, ['one', 'two'])
})

void t.test('poll: an object that cannot be read is a failure, and ends with its recovery', async (t) => {
  const { poll, vault, failures, clock } = stand()
  await poll()
  vault.fault = ({ name }) => (name === 'a' ? { kind: 'forbidden' } : undefined)
  vault.set('a', 'a-2')
  await poll()
  t.match(failures.get(0), { kind: 'forbidden' })
  vault.fault = () => undefined
  await clock.advance(1_000, async () => undefined)
  await poll()
  t.notOk(failures.has(0))
})

void t.test('poll: a volume that cannot be read is a failure, and ends with the next switch', async (t) => {
  const { poll, failures, volume, content } = stand()
  volume.error = new Error('EIO')
  t.match(await poll(), { volumeError: { message: 'EIO' } })
  t.match(failures.get('/'), { kind: 'volume', outlook: 'doubtful' })
  volume.error = undefined
  await poll()
  t.notOk(failures.has('/'))
  t.equal(content('a'), 'a-1')
})

void t.test('poll: files that someone else changed are read again and restored', async (t) => {
  const { poll, volume, clock, settings, content, vault } = stand()
  await poll()
  const good = volume.stored as StoredSet
  const files = new Map(good.files)
  files.delete('a')
  volume.stored = { ...good, files, tampered: ['a'] }
  const asked = vault.asked.length
  await clock.advance(settings.fullRefresh, async () => undefined)
  t.match(await poll(), { tampered: ['a'] })
  vault.fault = () => ({ kind: 'unavailable' })
  const whileDown = await poll()
  t.notOk(whileDown.tampered, 'it is reported once')
  t.match(whileDown.missing, [{ what: 'secret a' }], 'the file is still missed')
  vault.fault = () => undefined
  await poll()
  t.equal(content('a'), 'a-1')
  t.ok(vault.asked.length > asked + 2, 'from the vault')
})

void t.test('poll: a set that is no longer in the volume is read again and written', async (t) => {
  const { poll, volume, clock, settings, content } = stand()
  await poll()
  volume.stored = undefined
  await clock.advance(settings.fullRefresh, async () => undefined)
  t.match(await poll(), { missing: [{ what: 'secret a' }, { what: 'secret b' }] })
  await poll()
  t.strictSame([content('a'), content('b')], ['a-1', 'b-1'])
})

void t.test('poll: a link of the volume that was changed is restored, although no file differs', async (t) => {
  const { poll, volume, clock, settings } = stand()
  await poll()
  const notification = { id: 'x', switchedAt: 0, dueAt: 0, changed: [] }
  const { manifest, files } = volume.stored as StoredSet
  volume.stored = { manifest: { ...manifest, notification }, files, tampered: ['..data'] }
  await clock.advance(settings.fullRefresh, async () => undefined)
  await poll()
  await poll()
  t.notOk(volume.stored.tampered, 'although no file differs')
  t.strictSame(volume.stored.manifest.notification, notification, 'and a notification that is due still is')
})

void t.test('poll: nothing is taken over from a set that was made for other settings', async (t) => {
  const { poll, volume, vault, content } = stand()
  const manifest: Manifest = {
    schema: 1,
    plan: 'other',
    switchedAt: 0,
    files: { a: 0o444 },
    objects: { 0: ['a'] },
    sources: {},
  }
  volume.stored = { manifest, files: new Map([['a', { content: Buffer.from('other'), mode: 0o444 }]]) }
  vault.fault = ({ name }) => (name === 'a' ? { kind: 'forbidden' } : undefined)
  t.match(await poll(), { missing: [{ what: 'secret a' }] })
  vault.fault = () => undefined
  await poll()
  t.strictSame([content('a'), content('b')], ['a-1', 'b-1'])
})

void t.test('poll: a notification that an earlier process left is delivered once, with the first set', async (t) => {
  const { poll, volume, notified, cache } = stand()
  await poll()
  const notification = { id: 'x', switchedAt: 0, dueAt: 0, changed: [] }
  const left = volume.stored as StoredSet
  volume.stored = { ...left, manifest: { ...left.manifest, notification } }
  volume.isServing = false
  cache.invalidate()
  await poll()
  t.strictSame(notified, [notification])
  volume.isServing = true
  cache.invalidate()
  await poll()
  t.equal(notified.length, 1, 'not again by a poll that finds the same')
})

void t.test('poll: which files of two sets differ', (t) => {
  const file = (text: string, mode = 0o444) => ({ content: Buffer.from(text), mode })
  const one = new Map([
    ['same', file('x')],
    ['bytes', file('x')],
    ['mode', file('x')],
    ['gone', file('x')],
  ])
  const other = new Map([
    ['same', file('x')],
    ['bytes', file('y')],
    ['mode', file('x', 0o400)],
    ['new', file('x')],
  ])
  t.strictSame([...differences(one, other)].toSorted(), ['bytes', 'gone', 'mode', 'new'])
  t.end()
})
