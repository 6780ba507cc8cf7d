import t from 'tap'
import { mostWatchedVersions } from '../../../coordinator/watch/look.ts'
import type { Fault } from '../../support/fake-vault.ts'
import { watcherScene } from './scene.ts'

const day = 86_400_000

void t.test('watcher: an object with too many versions is not covered, and delays no look', async (t) => {
  const { vault, watcher, failures, advance, object, told } = await watcherScene(t)
  vault.others = 500
  const versions = ['a', 'b'].map((name) => vault.set(name, '1'))
  for (let count = 1; count < mostWatchedVersions; count++) vault.set('hourly', `${count}`)
  await advance(1_000)
  const hourly = vault.set('hourly', 'x')
  await advance(day)
  const [owner, other] = [told(), told('team-b')]
  watcher.update(owner, 1, [object('a', versions[0]!), object('b', versions[1]!)])
  watcher.update(other, 1, [object('hourly', hourly)])
  await advance(30_000)
  t.strictSame([owner.covered, other.covered], [['a', 'b'], ['hourly']], 'as many as are allowed')
  vault.set('hourly', 'one more')
  await advance(60_000)
  t.strictSame([owner.covered, other.covered], [['a', 'b'], []])
  t.match(other.of('coverage').at(-1), { isCovered: false, reason: /look-failed/ })
  t.match(
    failures.map(({ message }) => message),
    ['secret hourly has more than 500 versions: pods poll it'],
  )
  t.match(watcher.seen(object('hourly', ''), 60_000), { reason: /could not look at it/ })
  vault.asked.length = 0
  for (let minute = 0; minute < 60; minute++) {
    await advance(60_000)
    const [look] = watcher.looks(owner)
    t.ok((look?.ageMs ?? Infinity) <= 30_000, `the last look is recent: ${look?.ageMs}`)
  }
  t.ok(vault.asked.filter(({ name }) => name === 'hourly').length <= 6, 'it is tried every 10 min')
  const newest = vault.set('a', '2')
  await advance(30_000)
  t.match(owner.of('change').at(-1), { changes: [{ name: 'a', version: newest }] })
})

void t.test('watcher: an object that fails while the vault answers takes coverage from no other', async (t) => {
  const kinds = ['forbidden', 'malformed', 'gone', 'not-found', 'bad-request', 'unavailable'] as const
  const faults: Fault[] = [...kinds.map((kind) => ({ kind })), { hang: 10_000 }]
  for (const others of [0, 500]) {
    for (const fault of faults) {
      const { vault, watcher, failures, advance, object, told } = await watcherScene(t)
      vault.others = others
      const objects = ['bad', 'a', 'b'].map((name) => object(name, vault.set(name, '1')))
      await advance(day)
      const owner = told()
      vault.fault = ({ name }) => (name === 'bad' ? fault : undefined)
      watcher.update(owner, 1, objects)
      const about = `${JSON.stringify(fault)}, ${others} others`
      for (let minute = 0; minute < 9; minute++) {
        await advance(60_000)
        t.ok((watcher.looks(owner)[0]?.ageMs ?? Infinity) <= 30_000, about)
      }
      const isBrief = 'kind' in fault && ['malformed', 'unavailable'].includes(fault.kind)
      t.strictSame(owner.covered, ['a', 'b'], about)
      t.ok(
        isBrief ? failures.length >= 5 && failures.length <= 10 : failures.length === 1,
        `${about}: ${failures.length}`,
      )
      vault.fault = () => undefined
      await advance(120_000)
      t.strictSame(owner.covered, ['a', 'b', 'bad'], about)
    }
  }
})

void t.test('watcher: of objects that time out, one look waits for two', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.others = 500
  const names = ['a', 'slow-1', 'slow-2', 'slow-3']
  const objects = names.map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  const [owner, other] = [told(), told('team-b')]
  watcher.update(owner, 1, objects.slice(0, 1))
  watcher.update(other, 1, objects)
  await advance(30_000)
  t.strictSame(other.covered, names)
  vault.fault = ({ name }) => (name?.startsWith('slow') ? { hang: 10_000 } : undefined)
  vault.asked.length = 0
  const asked = () => vault.asked.filter(({ name }) => name?.startsWith('slow')).length
  while (asked() === 0) await advance(1_000)
  await advance(30_000)
  t.equal(asked(), 2, 'more would delay the looks at a vault that hangs')
  for (let second = 0; second < 300; second++) {
    await advance(1_000)
    t.ok((watcher.looks(owner)[0]?.ageMs ?? Infinity) < 60_000)
  }
  t.strictSame([owner.covered, other.covered], [['a'], ['a']])
})

void t.test('watcher: a vault that refuses every object has failed itself', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.others = 500
  const objects = ['a', 'b', 'c'].map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  const owner = told()
  watcher.update(owner, 1, objects)
  await advance(30_000)
  vault.fault = () => ({ kind: 'unavailable' })
  await advance(20_000)
  t.strictSame(owner.covered, ['a', 'b', 'c'], 'their coverage ages')
  vault.fault = () => ({ kind: 'forbidden' })
  await advance(60_000)
  t.strictSame([owner.covered, watcher.counts(60_000)], [[], { groups: 1, fresh: 0 }])
})

void t.test('watcher: names that do not exist stop no look at a vault whose list is too long', async (t) => {
  const { vault, watcher, failures, advance, object, told } = await watcherScene(t)
  vault.others = 1_001
  const version = vault.set('a', '1')
  await advance(day)
  const [owner, hostile] = [told(), told('team-b')]
  watcher.update(owner, 1, [object('a', version)])
  await advance(20_000)
  const many = Array.from({ length: 500 }, (_, index) => object(`none-${index}`, 'guess'))
  for (let minute = 0; minute < 20; minute++) {
    watcher.update(hostile, minute + 1, many)
    await advance(60_000)
    t.ok((watcher.looks(owner)[0]?.ageMs ?? Infinity) < 45_000)
  }
  t.strictSame([owner.covered, failures], [['a'], []])
  t.ok(vault.count('list') <= 1, `${vault.count('list')} lists of 41 pages`)
})

void t.test('watcher: objects with many versions are verified within the budget', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const objects = ['a', 'b'].map((name) => object(name, vault.set(name, '1')))
  const many = Array.from({ length: 40 }, (_, index) => object(`many-${index}`, 'guess'))
  for (const { name } of many)
    for (let created = 1; created <= mostWatchedVersions; created++) vault.set(name, 'x', { created })
  await advance(day)
  const [owner, hostile] = [told(), told('team-b')]
  watcher.update(owner, 1, objects)
  await advance(20_000)
  for (let minute = 0; minute < 10; minute++) {
    watcher.update(hostile, minute + 1, many)
    for (let second = 0; second < 60; second++) {
      await advance(1_000)
      const [look] = watcher.looks(owner)
      t.ok((look?.ageMs ?? Infinity) < 45_000, `the last look is recent: ${look?.ageMs}`)
    }
  }
})

void t.test('watcher: a recent write to an object that no sidecar has read is rechecked once', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.others = 500
  await advance(day)
  vault.set('a', '1')
  watcher.update(told(), 1, [object('a', 'guess')])
  await advance(60_000)
  t.ok(vault.asked.length <= 4, `${vault.asked.length} requests`)
})
