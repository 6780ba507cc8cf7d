import t from 'tap'
import { namespaceLimits } from '../../../coordinator/watch/watcher.ts'
import { vaultUrl, watcherScene } from './scene.ts'

const day = 86_400_000

void t.test('watcher: a new version is told to those who serve the object, and to nobody else', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const [a, b] = [vault.set('a', '1'), vault.set('b', '1')]
  await advance(day)
  const [one, other] = [told(), told()]
  watcher.update(one, 1, [object('a', a), object('b', b)])
  watcher.update(other, 1, [object('b', b)])
  await advance(1_000)
  t.strictSame([one.covered, other.covered], [['a', 'b'], ['b']])
  await advance(600_000)
  t.strictSame([one.of('change'), other.of('change')], [[], []])

  const newer = vault.set('a', '2')
  await advance(20_000)
  const [change] = one.of('change')
  t.match(change, { changes: [{ vault: vaultUrl, type: 'secret', name: 'a', version: newer }], spreadMs: 1_000 })
  await advance(60_000)
  t.equal(one.of('change').length, 1, 'once')
  t.strictSame(other.of('change'), [])
})

void t.test('watcher: costs one list in each interval, however many sidecars there are', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const names = Array.from({ length: 10 }, (_, index) => `secret-${index}`)
  const objects = names.map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  for (let sidecar = 0; sidecar < 200; sidecar++) watcher.update(told(), 1, objects)
  await advance(60_000)
  vault.asked.length = 0
  await advance(150_000)
  t.strictSame([vault.count('list'), vault.count('versions')], [10, 0])
})

void t.test('watcher: one object costs one list of its versions, even in a large vault', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  vault.others = 500
  const version = vault.set('a', '1')
  await advance(day)
  watcher.update(told(), 1, [object('a', version)])
  await advance(60_000)
  vault.asked.length = 0
  await advance(150_000)
  t.strictSame([vault.count('list'), vault.count('versions')], [0, 10])
})

void t.test('watcher: two writes in one second are both told', async (t) => {
  for (const names of [['a'], ['a', 'b', 'c']]) {
    const { vault, watcher, advance, object, told } = await watcherScene(t)
    const one = told()
    const objects = names.map((name) => object(name, vault.set(name, '1')))
    await advance(day)
    watcher.update(one, 1, objects)
    await advance(1_000)
    await advance(14_050)
    vault.set('a', '2')
    let isSecond = true
    let newest = ''
    // The second write comes as soon as the look has shown the first one: its times are the same.
    vault.before = ({ operation }) => {
      if (operation === 'versions' && isSecond) queueMicrotask(() => (newest = vault.set('a', '3')))
      if (operation === 'versions') isSecond = false
    }
    await advance(60_000)
    t.equal(one.of('change').at(-1)?.changes[0]?.version, newest, names.join())
  }
})

void t.test('watcher: objects that change within moments of each other are in one hint', async (t) => {
  const { vault, watcher, clock, advance, object, told } = await watcherScene(t)
  const objects = ['a', 'b', 'c'].map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  const one = told()
  watcher.update(one, 1, objects)
  await advance(14_900)
  vault.set('a', '2')
  void clock.wait(600, new AbortController().signal).then(() => void vault.set('b', '2'))
  await advance(60_000)
  t.strictSame(
    one.of('change').map(({ changes }) => changes.map(({ name }) => name)),
    [['a', 'b']],
  )
})

void t.test('watcher: disabling, new tags, deletion and recovery are told', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const objects = ['a', 'b', 'c'].map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  const one = told()
  watcher.update(one, 1, objects)
  for (const change of [
    () => vault.update('a', { enabled: false }),
    () => vault.tag('a', { team: 'shop' }),
    () => vault.delete('a'),
    () => vault.recover('a'),
  ]) {
    await advance(60_000)
    const before = one.of('change').length
    change()
    await advance(30_000)
    t.ok(one.of('change').length > before, change.toString())
  }
  const deleted = one.of('change').find(({ changes }) => changes[0]?.version === undefined)
  t.match(deleted, { changes: [{ name: 'a' }] }, 'a deletion names no version')
})

void t.test('watcher: a sidecar that serves an older version is told of the newest', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const old = vault.set('a', '1')
  await advance(10_000)
  const newest = vault.set('a', '2')
  await advance(day)
  const one = told()
  watcher.update(one, 1, [object('a', old)])
  await advance(1_000)
  t.match(one.of('change'), [{ changes: [{ name: 'a', version: newest }] }])
  await advance(60_000)
  t.equal(one.of('change').length, 1, 'once')
})

void t.test('watcher: who names an object without having read it hears nothing of it', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const version = vault.set('a', '1')
  await advance(day)
  const [owner, guest] = [told(), told('other')]
  watcher.update(owner, 1, [object('a', version)])
  watcher.update(guest, 1, [object('a', 'guess'), object('b', version)])
  await advance(60_000)
  vault.set('a', '2')
  await advance(60_000)
  t.equal(owner.of('change').length, 1)
  t.strictSame(guest.events, [])
})

void t.test('watcher: sidecars that name what does not exist do not delay others', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const objects = ['a', 'b'].map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  const [owner, hostile] = [told(), told('other')]
  watcher.update(owner, 1, objects)
  await advance(1_000)
  const many = Array.from({ length: 500 }, (_, index) => object(`none-${index}`, 'guess'))
  watcher.update(hostile, 1, many)
  for (let minute = 0; minute < 20; minute++) {
    await advance(60_000)
    watcher.update(hostile, minute + 2, many)
    const [look] = watcher.looks(owner)
    t.ok((look?.ageMs ?? Infinity) < 45_000, `the last look is recent: ${look?.ageMs}`)
  }
  vault.asked.length = 0
  await advance(100_000)
  t.ok(vault.asked.length <= 400 + 40, `${vault.asked.length} requests are within the budget`)
})

void t.test(
  'watcher: a namespace has at most so many objects and vaults, and only those that are allowed',
  async (t) => {
    const { vault, watcher, advance, told } = await watcherScene(t, {
      isAllowed: (_: string, url: string): boolean => !url.includes('secret'),
    })
    const version = vault.set('a', '1')
    await advance(day)
    const one = told()
    watcher.update(one, 1, [{ vault: 'https://secret-kv.vault.emulator.example', type: 'secret', name: 'a', version }])
    await advance(60_000)
    t.strictSame([one.events, watcher.counts(0).groups], [[], 0], 'not allowed')
    const vaults = Array.from({ length: 30 }, (_, index) => `https://kv-${index}.vault.emulator.example`)
    watcher.update(
      one,
      2,
      vaults.map((url) => ({ vault: url, type: 'secret', name: 'a', version })),
    )
    await advance(60_000)
    t.equal(watcher.counts(0).groups, namespaceLimits.vaults)
    t.equal(one.of('coverage').flatMap(({ objects }) => objects).length, namespaceLimits.vaults)
    watcher.remove(one)
    t.equal(watcher.counts(0).groups, 0, 'what nobody serves is not watched')
    vault.asked.length = 0
    await advance(60_000)
    t.strictSame(vault.asked, [])
  },
)

void t.test('watcher: a vault that refuses looks is not covered until it allows them again', async (t) => {
  const { vault, watcher, advance, failures, object, told } = await watcherScene(t)
  const objects = ['a', 'b'].map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  const one = told()
  watcher.update(one, 1, objects)
  await advance(20_000)
  t.strictSame(one.covered, ['a', 'b'])
  vault.fault = () => ({ kind: 'forbidden' })
  await advance(20_000)
  t.strictSame([one.covered, watcher.looks(one)], [[], []])
  t.equal(failures[0]?.kind, 'forbidden')
  await advance(7_200_000)
  t.ok(failures.length < 25, `${failures.length} looks in two hours`)
  vault.fault = () => undefined
  const newest = vault.set('a', '2')
  await advance(600_000)
  t.strictSame(one.covered, ['a', 'b'])
  t.equal(one.of('change').at(-1)?.changes[0]?.version, newest, 'what changed meanwhile is told')
})

void t.test('watcher: a vault that throttles is looked at less often, and coverage ages', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const objects = ['a', 'b'].map((name) => object(name, vault.set(name, '1')))
  await advance(day)
  const one = told()
  watcher.update(one, 1, objects)
  await advance(20_000)
  vault.fault = () => ({ kind: 'throttled', retryAfter: 120_000 })
  vault.asked.length = 0
  await advance(120_000)
  t.equal(vault.asked.length, 1, 'Retry-After is respected')
  t.ok((watcher.looks(one)[0]?.ageMs ?? 0) > 60_000, 'the age shows that coverage ended')
  vault.fault = () => undefined
  await advance(240_000)
  t.ok((watcher.looks(one)[0]?.ageMs ?? Infinity) <= 15_000, 'the interval recovers')
})
