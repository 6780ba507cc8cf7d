import t from 'tap'
import { SourceCache } from '../../../shared/detect/cache.ts'
import { Failures } from '../../../shared/detect/failures.ts'
import type { ReadResult } from '../../../shared/detect/read-vault.ts'
import type { Source, SourceRecord } from '../../../shared/detect/sources.ts'
import { fail, ok } from '../../../shared/result.ts'
import { VaultFailure, type Fetched } from '../../../shared/vault/store.ts'
import { VirtualClock } from '../../support/clock.ts'
import { objectOf, settingsWith } from '../../support/settings.ts'

const recordOf = (version: string): SourceRecord => ({
  version,
  versions: [version],
  attributes: { enabled: true, updated: 1 },
  answeredAt: 1e12,
  fetchedAt: 1,
})
const contents = (version: string): Fetched[] => [
  { type: 'secret', name: 'a', version, attributes: { enabled: true }, content: { secret: `value of ${version}` } },
]
const nothing: ReadResult = {
  reads: new Map(),
  failures: new Map(),
  unchanged: [],
  listFailures: [],
  listings: new Map(),
  unread: new Map(),
  consistent: true,
}

/** A cache of three objects, the first two of one source with a history, and what a poll may find out about them. */
function stand(changes: Parameters<typeof settingsWith>[1] = {}) {
  const clock = new VirtualClock()
  const failures = new Failures(clock)
  const settings = settingsWith(
    [objectOf('a', { history: 2 }), objectOf('a', { history: 2, path: 'a2' }), objectOf('b')],
    changes,
  )
  const cache = new SourceCache(settings, { clock, random: () => 0.5, failures })
  const [a, b] = cache.sources as [Source, Source]
  const read = (source: Source, version: string, isHeld = true): ReadResult => ({
    ...nothing,
    reads: new Map([[source, { record: recordOf(version), ...(isHeld && { contents: contents(version) }) }]]),
  })
  const failed = (source: Source, kind: 'gone' | 'forbidden'): ReadResult => ({
    ...nothing,
    failures: new Map([[source, new VaultFailure(kind, kind)]]),
  })
  const file = (path: string) => ok({ files: [{ path, content: Buffer.from(path) }], warnings: [] })
  return { cache, clock, failures, settings, a, b, read, failed, file }
}

void t.test('source cache: what has to be rendered', async (t) => {
  const { cache, a, b, read } = stand()
  t.strictSame([...cache.changed(read(a, '1'))], [[a, contents('1')]], 'a first version')
  cache.update(read(a, '1'), new Map())
  t.equal(cache.changed(read(a, '1')).size, 0, 'the same version')
  t.equal(cache.changed(read(a, '2')).size, 1, 'another version')
  t.equal(cache.changed(read(a, '2', false)).size, 0, 'without its contents')
  cache.restore({ [b.key]: recordOf('1') })
  t.equal(cache.changed(read(b, '1')).size, 1, 'the same version as an earlier process says, once it is read')
})

void t.test(
  'source cache: a version that an earlier process read is believed until its contents are read',
  async (t) => {
    const { cache, a, read, clock, settings } = stand()
    cache.restore({ [a.key]: recordOf('1'), other: recordOf('1') })
    const refreshAt = clock.elapsed() + settings.fullRefresh / 2
    t.match(cache.known(a), { isBelieved: true, refreshAt }, 'at any moment of the period')
    cache.update(read(a, '2', false), new Map())
    t.match(cache.known(a), { isBelieved: true, refreshAt, record: { version: '2' } })
    cache.update(read(a, '2'), new Map())
    t.notOk(cache.known(a)?.isBelieved)
    t.equal(cache.known(a)?.refreshAt, clock.elapsed() + settings.fullRefresh * 0.9)
  },
)

void t.test('source cache: contents are held only for a history', async (t) => {
  const { cache, a, b, read } = stand()
  cache.update(read(a, '1'), new Map())
  cache.update(read(b, '1'), new Map())
  t.strictSame([cache.contents(a), cache.contents(b)], [contents('1'), undefined])
})

void t.test('source cache: pending files, until they are in the volume', async (t) => {
  const { cache, a, read, file } = stand()
  cache.update(
    read(a, '1'),
    new Map([
      [0, file('a')],
      [1, file('a2')],
    ]),
  )
  t.strictSame([...cache.pending.keys()], [0, 1])
  cache.update(
    read(a, '2'),
    new Map([
      [0, file('a')],
      [1, fail('it cannot be rendered')],
    ]),
  )
  t.strictSame([...cache.pending.keys()], [0], 'not those of a version that is no longer the newest')
  t.ok(cache.isPending)
  cache.clearPending()
  t.notOk(cache.isPending)
})

void t.test('source cache: an object that is gone', async (t) => {
  for (const onDelete of ['retain', 'delete'] as const) {
    const { cache, a, read, failed, file } = stand({ onDelete })
    cache.update(
      read(a, '1'),
      new Map([
        [0, file('a')],
        [1, file('a2')],
      ]),
    )
    cache.clearPending()
    cache.update(failed(a, 'forbidden'), new Map())
    t.notOk(cache.isPending, `${onDelete}: one that may not be read is not gone`)
    cache.update(failed(a, 'gone'), new Map())
    const isDeleted = onDelete === 'delete'
    t.strictSame(
      [...cache.pending],
      isDeleted
        ? [
            [0, []],
            [1, []],
          ]
        : [],
      onDelete,
    )
    t.equal(cache.known(a) === undefined, isDeleted, `${onDelete}: if it comes back, it is read`)
    t.equal(cache.contents(a) === undefined, isDeleted, `${onDelete}: its contents are not held`)
  }
})

void t.test('source cache: every source was tried once it was read, or all of its objects failed', async (t) => {
  const { cache, a, b, read, failures } = stand()
  const failure = { kind: 'forbidden', message: 'm', outlook: 'permanent' } as const
  cache.update(read(b, '1'), new Map())
  t.notOk(cache.isTried)
  failures.set(0, failure)
  t.notOk(cache.isTried, 'one of two objects of a source')
  failures.set(1, failure)
  t.ok(cache.isTried)
  failures.clear(0)
  failures.clear(1)
  cache.update(read(a, '1'), new Map())
  t.ok(cache.isTried)
  cache.invalidate()
  t.notOk(cache.isTried)
})

void t.test('source cache: a source fails if one of its objects does', async (t) => {
  const { cache, a, b, failures } = stand()
  failures.set(1, { kind: 'render', message: 'm', outlook: 'permanent' })
  t.strictSame([cache.isFailing(a), cache.isFailing(b)], [true, false])
})

void t.test(
  'source cache: the records of a set leave out what one of its objects could not be rendered from',
  async (t) => {
    const { cache, a, b, read, failures } = stand()
    cache.update(read(a, '1'), new Map())
    cache.update(read(b, '2'), new Map())
    t.strictSame(cache.records(), { [a.key]: recordOf('1'), [b.key]: recordOf('2') })
    failures.set(1, { kind: 'render', message: 'm', outlook: 'permanent' })
    t.strictSame(cache.records(), { [b.key]: recordOf('2') })
    failures.set(1, { kind: 'forbidden', message: 'm', outlook: 'permanent' })
    t.strictSame(cache.records(), { [b.key]: recordOf('2') }, 'also if it cannot be read now')
    failures.clear(1)
    failures.set(1, { kind: 'forbidden', message: 'm', outlook: 'permanent' })
    t.strictSame(Object.keys(cache.records()), [a.key, b.key])
    t.strictSame([cache.version(0), cache.version(1), cache.version(2), cache.version(3)], ['1', '1', '2', undefined])
  },
)

void t.test('source cache: what is known about lists', async (t) => {
  const { cache } = stand()
  t.strictSame(cache.listing('x'), {})
  cache.update({ ...nothing, listings: new Map([['x', { pages: 3 }]]) }, new Map())
  t.strictSame(cache.listing('x'), { pages: 3 })
})
