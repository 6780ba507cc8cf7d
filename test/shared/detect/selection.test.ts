import t from 'tap'
import { readOf } from '../../../shared/detect/search.ts'
import { Selection, type Listed } from '../../../shared/detect/selection.ts'
import { sourcesOf } from '../../../shared/detect/sources.ts'
import type { ReadResult } from '../../../shared/detect/read-vault.ts'
import type { FindSpec } from '../../../shared/objects/find.ts'
import { VaultFailure } from '../../../shared/vault/store.ts'
import { findSpec } from '../../support/find-spec.ts'
import { objectOf, settingsWith } from '../../support/settings.ts'

const selectionOf = (finds: Partial<FindSpec>[], named: string[] = [], maxMatches = 100) => {
  const find = { maxPages: 10, maxMatches, finds: finds.map(findSpec) }
  return new Selection({ ...settingsWith(named, { templates: { 'conf/app': 'x' }, bundles: { env: 'json' } }), find })
}

const listed = (...names: string[]): Listed => ({ names, count: names.length })
const namesOf = (selection: Selection) => Array.from(selection.matches.values(), ({ name }) => name)

void t.test('selection: of a vault of any size, only as many names as are allowed are kept', async (t) => {
  const selection = selectionOf([{ name: 'a*' }, { tags: { b: 'c' } }], [], 3)
  const { onItem, listed } = selection.collect([0, 1])
  const tags = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`t${index}`, 'x'.repeat(256)]))
  for (let index = 0; index < 25_000; index++) onItem({ name: `a${index}`, tags: { ...tags, b: 'c' } })
  for (const found of listed.values()) t.match(found, { count: 25_000, names: { length: 3 } })
  const { problems, matches } = selection.propose(listed)
  t.match(problems.get(0), /25000 objects match, and at most 3 may/)
  t.equal(matches.size, 0)
})

const conflicts: [name: string, path: string, found: string, message: RegExp | undefined][] = [
  ['the file of a template', 'conf/{name}', 'app', /its file "conf\/app" is also that of template "conf\/app"/],
  ['the folder of a template', '{name}', 'conf', /its file "conf" is the folder of a file of template "conf\/app"/],
  ['inside of a bundle', 'env/{name}', 'a', /its file "env\/a" is inside of "env", which is a file of bundle "env"/],
  ['a named object', '{name}', 'db', /its file "db" is also that of secret db/],
  ['a path that is too long', `${'{name}'.repeat(3)}`, 'x'.repeat(100), /at most 255 bytes/],
  ['no conflict', 'x/{name}', 'db', undefined],
]
for (const [name, path, found, message] of conflicts) {
  void t.test(`selection: ${name}`, async (t) => {
    const selection = selectionOf([{ path }], ['db'])
    const { problems, matches } = selection.propose(new Map([[0, listed(found, 'other')]]))
    if (message === undefined) t.equal(problems.size, 0)
    else t.match(problems.get(0), message)
    const others = path.startsWith('env/') ? 0 : 1
    t.equal(matches.size, message === undefined ? 2 : others, 'the other is selected if it can be')
  })
}

void t.test('selection: more files than a pod may have', async (t) => {
  const finds = Array.from({ length: 6 }, (_, index) => ({ path: `${index}/{name}` }))
  const selection = selectionOf(finds)
  const names = Array.from({ length: 100 }, (_, index) => `a${index}`)
  const { problems, matches } = selection.propose(new Map(finds.map((_, index) => [index, listed(...names)])))
  t.equal(matches.size, 500)
  t.match([...problems], [[5, /with the 100 that are new, 600 objects are more than a pod may have, 500/]])
})

void t.test('selection: an index belongs to one match as long as it lasts', async (t) => {
  const selection = selectionOf([{}], ['db'])
  const of = (...names: string[]) => selection.propose(new Map([[0, listed(...names)]]))
  const first = of('b', 'a', 'a')
  t.strictSame([...first.matches.keys()], [1, 2])
  t.strictSame([...of('a', 'b').matches.keys()], [1, 2], 'the same however often it is proposed')
  selection.apply(first)
  const change = selection.apply(of('b', 'c'))
  t.match(change, { added: [{ name: 'c' }], removed: [{ name: 'a' }], removedIndices: [1] })
  selection.apply(of('a', 'b', 'c'))
  t.strictSame(Object.keys(selection.records()), ['2', '3', '4'], 'no index is used again')
})

void t.test(
  'selection: what another process may have written is believed only if a find could select it',
  async (t) => {
    const selection = selectionOf([{ name: 'web-*' }], ['db'], 2)
    selection.restore({
      0: { find: 0, name: 'web-named' },
      1: { find: 0, name: 'web-a' },
      ...{ 2: { find: 0, name: 'db' }, 3: { find: 0, name: '../web-x' }, 4: { find: 3, name: 'web-b' } },
    })
    t.strictSame(namesOf(selection), ['web-a'])
    const many = selectionOf([{}], [], 2)
    many.restore(Object.fromEntries(Array.from({ length: 9 }, (_, index) => [index, { find: 0, name: `n${index}` }])))
    t.equal(many.matches.size, 2)
  },
)

void t.test('search: what was read of a match that another vault displaced meanwhile is left out', async (t) => {
  const [kept, ended, failed] = sourcesOf([objectOf('a'), objectOf('b'), objectOf('c')])
  const read = {
    reads: new Map([kept, ended].map((source) => [source, { record: {} }])),
    failures: new Map([[failed, new VaultFailure('gone', 'x')]]),
    unread: new Map([kept, failed].map((source) => [source, new VaultFailure('throttled', 'x')])),
    unchanged: [ended, kept],
  } as unknown as ReadResult
  const [now] = sourcesOf([objectOf('a')])
  const { reads, failures, unread, unchanged } = readOf(read, [now!])
  t.strictSame([[...reads.keys()], [...failures.keys()], unchanged], [[now], [], [now]])
  t.strictSame([...unread.keys()], [now])
  t.equal([...reads.keys()][0], now, 'the source as it is now')
})
