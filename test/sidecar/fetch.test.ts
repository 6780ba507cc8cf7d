import t from 'tap'
import { fetchSource, wantedVersions } from '../../sidecar/fetch.ts'
import { sourcesOf, type Source } from '../../sidecar/sources.ts'
import type { Attributes } from '../../sidecar/vault/vault.ts'
import { VirtualClock } from './support/clock.ts'
import { objectOf } from './support/settings.ts'
import { Twin } from './support/twin.ts'

const sourceOf = (text: string, overrides = {}): Source => sourcesOf([objectOf(text, overrides)])[0] as Source
const listed = (version: string, created: number, enabled = true): { version: string; attributes: Attributes } => ({ version, attributes: { created, enabled } }) // prettier-ignore

void t.test('the versions of a history', async (t) => {
  const versions = [listed('b', 2), listed('d', 4), listed('a', 1), listed('c', 3, false), listed('e', 4)]
  const wanted = (history: number, version?: string) => wantedVersions(versions, sourceOf(version === undefined ? 's' : `s@${version}`, { history })).map((one) => one.version) // prettier-ignore
  t.strictSame(wanted(10), ['d', 'e', 'b', 'a'], 'newest first, by id where times are equal, without disabled ones')
  t.strictSame(wanted(2), ['d', 'e'])
  t.strictSame(wanted(10, 'b'), ['b', 'a'], 'from the pinned one on')
  t.strictSame(wanted(10, 'c'), ['b', 'a'], 'which may be disabled')
  t.strictSame(wanted(10, 'x'), [], 'or not exist')
})

void t.test('a disabled version is a failure that says what to do', async (t) => {
  const clock = new VirtualClock()
  const twin = new Twin({ now: clock.now, wait: clock.wait })
  const context = { signal: new AbortController().signal, now: clock.now }
  twin.set('k', 'v', { type: 'key', enabled: false })
  await t.rejects(fetchSource(twin, sourceOf('key/k'), undefined, context), { kind: 'disabled', message: /key k: version [0-9a-f]+ is disabled; enable it or add a new version/ }) // prettier-ignore
  twin.set('s', 'v', { enabled: false })
  await t.rejects(fetchSource(twin, sourceOf('s', { history: 3 }), undefined, context), { kind: 'disabled', message: /s: disabled/ }) // prettier-ignore
  twin.set('k', 'w', { type: 'key', enabled: false })
  await t.rejects(fetchSource(twin, sourceOf('key/k', { history: 3 }), undefined, context), { kind: 'disabled', message: /key k: version [0-9a-f]+ is disabled/ }) // prettier-ignore
})

void t.test('a history without versions is of an object that does not exist', async (t) => {
  const clock = new VirtualClock()
  const twin = new Twin({ now: clock.now, wait: clock.wait })
  const context = { signal: new AbortController().signal, now: clock.now }
  await t.rejects(fetchSource(twin, sourceOf('s', { history: 3 }), undefined, context), { kind: 'gone', message: /s: gone/ }) // prettier-ignore
  twin.set('s', 'v')
  await t.rejects(fetchSource(twin, sourceOf('s@abc', { history: 3 }), undefined, context), { kind: 'gone', message: /s: gone/ }) // prettier-ignore
})

void t.test('a pinned version is what is asked for', async (t) => {
  const clock = new VirtualClock()
  const twin = new Twin({ now: clock.now, wait: clock.wait })
  const version = twin.set('s', 'old')
  twin.set('s', 'new')
  const context = { signal: new AbortController().signal, now: clock.now }
  const { record, contents } = await fetchSource(twin, sourceOf(`s@${version}`), undefined, context)
  t.match(contents, [{ content: { secret: 'old' } }])
  t.match(record, { version, versions: [version], fetchedAt: clock.now() })
})
