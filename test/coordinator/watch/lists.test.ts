import t from 'tap'
import { ListDigest } from '../../../shared/detect/list-digest.ts'
import { watcherScene } from './scene.ts'

const day = 86_400_000

const digestOf = (...items: { name: string; tags?: Record<string, string> }[]): string => {
  const digest = new ListDigest()
  for (const { name, tags = {} } of items) digest.add({ name, tags })
  return digest.toString()
}

void t.test('list digest: the same for the same objects in any order', async (t) => {
  const [a, b] = [{ name: 'a', tags: { one: '1', two: '2' } }, { name: 'b' }]
  t.equal(digestOf(a, b), digestOf(b, { name: 'A', tags: { two: '2', one: '1' } }))
  t.match(digestOf(), /^[0-9a-f]{64}$/)
  const others = [
    [a],
    [a, b, b],
    [a, { name: 'c' }],
    [a, { name: 'b', tags: { one: '1' } }],
    [{ name: 'a', tags: { one: '2', two: '1' } }, b],
  ]
  t.equal(new Set([digestOf(a, b), ...others.map((items) => digestOf(...items))]).size, others.length + 1)
})

void t.test('watcher: a sidecar that serves the list hears once of each change', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.set('a', '1')
  await advance(day)
  const [one, other] = [told(), told()]
  watcher.update(one, 1, [object('*', digestOf({ name: 'a' }))])
  watcher.update(other, 1, [object('a', 'unknown')])
  await advance(1_000)
  t.strictSame(one.covered, ['*'])
  vault.set('a', '2')
  await advance(60_000)
  t.strictSame(one.of('change'), [], 'a new version is no other list')
  vault.tag('a', { app: 'web' })
  await advance(60_000)
  const tagged = digestOf({ name: 'a', tags: { app: 'web' } })
  t.match(one.of('change'), [{ changes: [{ name: '*', version: tagged }] }])
  t.strictSame(other.of('change'), [])
  t.strictSame(
    [...watcher.served()].map(({ object: { name } }) => name),
    ['a'],
    'a list has no rotation',
  )
})

void t.test('watcher: a sidecar that has not listed the vault hears of no list', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.set('a', '1')
  await advance(day)
  const guessing = [digestOf(), digestOf({ name: 'b' }), 'f'.repeat(64)].map((digest) => {
    const one = told()
    watcher.update(one, 1, [object('*', digest)])
    return one
  })
  await advance(60_000)
  vault.set('b', '1')
  await advance(60_000)
  vault.tag('b', { app: 'web' })
  await advance(60_000)
  for (const one of guessing) t.strictSame(one.events, [])
})

void t.test('watcher: a sidecar that may not list the vault does not delay the looks for others', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.others = 1_000
  const version = vault.set('a', '1')
  await advance(day)
  const one = told()
  watcher.update(one, 1, [object('a', version)])
  await advance(60_000)
  vault.asked.length = 0
  for (let minute = 0; minute < 10; minute++) {
    const guessing = told('other')
    watcher.update(guessing, 1, [object('*', 'f'.repeat(64))])
    await advance(60_000)
    watcher.remove(guessing)
  }
  t.ok(vault.count('list') <= 7, `${vault.count('list')} lists of 41 pages in 10 minutes`)
  const [look] = watcher.looks(one)
  t.ok(look && look.ageMs < 30_000)
})

void t.test('watcher: a sidecar that knows an earlier list hears of the newest', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.set('a', '1')
  await advance(day)
  watcher.update(told(), 1, [object('*', digestOf({ name: 'a' }))])
  await advance(60_000)
  vault.set('b', '1')
  await advance(60_000)
  const late = told()
  watcher.update(late, 1, [object('*', digestOf({ name: 'a' }))])
  await advance(60_000)
  t.strictSame(late.covered, ['*'])
  t.match(late.of('change'), [{ changes: [{ name: '*', version: digestOf({ name: 'a' }, { name: 'b' }) }] }])
})

void t.test('watcher: a list that is watched costs one list in each interval', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const [a, b] = [vault.set('a', '1'), vault.set('b', '1')]
  await advance(day)
  const digest = digestOf({ name: 'a' }, { name: 'b' })
  for (let sidecar = 0; sidecar < 100; sidecar++)
    watcher.update(told(), 1, [object('*', digest), object('a', a), object('b', b)])
  await advance(60_000)
  vault.asked.length = 0
  await advance(150_000)
  t.strictSame([vault.count('list'), vault.count('versions')], [10, 0])
})

void t.test('watcher: a sidecar that serves a list hears that it became too long', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const version = vault.set('a', '1')
  await advance(day)
  const one = told()
  watcher.update(one, 1, [object('*', digestOf({ name: 'a' })), object('a', version)])
  await advance(20_000)
  t.strictSame(one.covered, ['*', 'a'])
  vault.others = 1_000
  await advance(120_000)
  t.strictSame(one.covered, ['a'])
  vault.others = 0
  await advance(240_000)
  t.strictSame(one.covered, ['*', 'a'])
})
