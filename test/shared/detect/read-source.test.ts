import t from 'tap'
import { fetchSource, wantedVersions } from '../../../shared/detect/read-source.ts'
import { sourcesOf, type Source } from '../../../shared/detect/sources.ts'
import type { Attributes } from '../../../shared/vault/store.ts'
import { VirtualClock } from '../../support/clock.ts'
import { objectOf } from '../../support/settings.ts'
import { FakeVault } from '../../support/fake-vault.ts'

const sourceOf = (text: string, overrides = {}): Source => sourcesOf([objectOf(text, overrides)])[0] as Source
const listed = (version: string, created: number, enabled = true): { version: string; attributes: Attributes } => ({
  version,
  attributes: { created, enabled },
})

void t.test('reading a source: a history is read by the list of versions', async (t) => {
  const versions = [listed('b', 2), listed('d', 4), listed('a', 1), listed('c', 3, false), listed('e', 4)]
  const wanted = (history: number, version?: string) =>
    wantedVersions(versions, sourceOf(version === undefined ? 's' : `s@${version}`, { history })).map(
      (one) => one.version,
    )
  t.strictSame(wanted(10), ['d', 'e', 'b', 'a'], 'newest first, by id where times are equal, without disabled ones')
  t.strictSame(wanted(2), ['d', 'e'])
  t.strictSame(wanted(10, 'b'), ['b', 'a'], 'from the pinned one on')
  t.strictSame(wanted(10, 'c'), ['b', 'a'], 'which may be disabled')
  t.strictSame(wanted(10, 'x'), [], 'or not exist')
})

void t.test('reading a source: a disabled version is a failure that says what to do', async (t) => {
  const clock = new VirtualClock()
  const vault = new FakeVault({ now: clock.now, wait: clock.wait })
  const context = { abort: new AbortController().signal, clock }
  vault.set('k', 'v', { type: 'key', enabled: false })
  await t.rejects(fetchSource(vault, sourceOf('key/k'), undefined, context), {
    kind: 'disabled',
    message: /key k: version [0-9a-f]+ is disabled; enable it or add a new version/,
  })
  vault.set('s', 'v', { enabled: false })
  await t.rejects(fetchSource(vault, sourceOf('s', { history: 3 }), undefined, context), {
    kind: 'disabled',
    message: /s: disabled/,
  })
  vault.set('k', 'w', { type: 'key', enabled: false })
  await t.rejects(fetchSource(vault, sourceOf('key/k', { history: 3 }), undefined, context), {
    kind: 'disabled',
    message: /key k: version [0-9a-f]+ is disabled/,
  })
})

void t.test('reading a source: a history without versions counts as a missing object', async (t) => {
  const clock = new VirtualClock()
  const vault = new FakeVault({ now: clock.now, wait: clock.wait })
  const context = { abort: new AbortController().signal, clock }
  await t.rejects(fetchSource(vault, sourceOf('s', { history: 3 }), undefined, context), {
    kind: 'gone',
    message: /s: gone/,
  })
  vault.set('s', 'v')
  await t.rejects(fetchSource(vault, sourceOf('s@abc', { history: 3 }), undefined, context), {
    kind: 'gone',
    message: /s: gone/,
  })
})

void t.test('reading a source: a pinned version is requested by its id', async (t) => {
  const clock = new VirtualClock()
  const vault = new FakeVault({ now: clock.now, wait: clock.wait })
  const version = vault.set('s', 'old')
  vault.set('s', 'new')
  const context = { abort: new AbortController().signal, clock }
  const { record, contents } = await fetchSource(vault, sourceOf(`s@${version}`), undefined, context)
  t.match(contents, [{ content: { secret: 'old' } }])
  t.match(record, { version, versions: [version], fetchedAt: clock.now() })
})
