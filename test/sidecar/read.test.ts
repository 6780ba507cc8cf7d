import t from 'tap'
import type { Known } from '../../sidecar/changed.ts'
import { avoidListing, readVault, type Before } from '../../sidecar/read.ts'
import { sourcesOf, type Source } from '../../sidecar/sources.ts'
import { VaultFailure, type ListedVersion, type Vault } from '../../sidecar/vault/vault.ts'
import { objectOf } from './support/settings.ts'
import { Twin, type Asked } from './support/twin.ts'

/** A vault of which nothing was read yet, an hour after its objects changed last. */
function stand(objects: Parameters<typeof sourcesOf>[0], before: Partial<Before> = {}) {
  let now = 1_000_000_000
  const twin = new Twin({ now: () => now, wait: () => Promise.resolve() })
  for (const { name } of objects) twin.set(name, `${name}-1`)
  now += 3_600_000
  const vault: Vault = {
    list: (type, signal) => twin.list(type, signal),
    get: (type, name, version, signal) => twin.get(type, name, version, signal),
    versions: (type, name, signal) => twin.versions(type, name, signal),
  }
  const sources = sourcesOf(objects)
  const unknown: Before = { known: () => undefined, contents: () => undefined, listing: () => ({}), isFailing: () => false, ...before } // prettier-ignore
  const { signal } = new AbortController()
  const poll = () => readVault(sources, unknown, { vault: () => vault, signal, now: () => now, elapsed: () => now })
  return { twin, vault, sources, poll, later: (milliseconds: number) => (now += milliseconds) }
}

/** Calls `then` once, at the first request that fits. */
function onceAt(twin: Twin, fits: (asked: Asked) => boolean, then: () => void) {
  let isDone = false
  twin.before = (asked) => {
    if (isDone || !fits(asked)) return
    isDone = true
    then()
  }
}

const at = (operation: Asked['operation'], name?: string) => (asked: Asked) => asked.operation === operation && asked.name === name // prettier-ignore

void t.test('confirming: nothing moved while the vault was read', async (t) => {
  const { twin, poll } = stand([objectOf('a'), objectOf('b')])
  t.match(await poll(), { settled: true })
  t.strictSame(twin.asked.map(({ operation }) => operation), ['get', 'get', 'list']) // prettier-ignore
})

void t.test('confirming: a single source is as it was read', async (t) => {
  const { twin, poll } = stand([objectOf('a')])
  t.match(await poll(), { settled: true })
  t.strictSame(twin.asked.map(({ operation }) => operation), ['get']) // prettier-ignore
})

void t.test('confirming: an object that moved and then cannot be read leaves the values unconfirmed', async (t) => {
  const { twin, poll, sources } = stand([objectOf('a'), objectOf('b')])
  onceAt(twin, at('list'), () => {
    twin.set('b', 'b-2')
    twin.fault = (asked) => (asked.name === 'b' ? { kind: 'unavailable' } : undefined)
  })
  const found = await poll()
  t.ok(found.failures.has(sources[1] as Source))
  t.equal(found.settled, false)
})

void t.test('confirming: a list that fails leaves the values unconfirmed', async (t) => {
  const { twin, poll } = stand([objectOf('a'), objectOf('b')])
  twin.fault = ({ operation }) => (operation === 'list' ? { kind: 'unavailable' } : undefined)
  t.match(await poll(), { settled: false, listFailures: [{ kind: 'unavailable' }] })
})

void t.test('confirming: a history is read again, since a list shows its newest version alone', async (t) => {
  const { twin, vault, poll, sources } = stand([objectOf('a', { history: 2 }), objectOf('b')])
  twin.set('a', 'a-2', { created: 1_000, updated: 1_000 })
  twin.set('a', 'a-3', { created: 2_000, updated: 2_000 })
  const [first, second, third] = (await twin.versions('secret', 'a', new AbortController().signal)) as [ListedVersion, ListedVersion, ListedVersion] // prettier-ignore
  first.attributes = { enabled: true, created: 500, updated: 500 }
  let isDisabled = false
  vault.versions = async () => [third, { ...second, attributes: { ...second.attributes, enabled: !isDisabled } }, first]
  onceAt(twin, at('get', 'b'), () => (isDisabled = true))
  const found = await poll()
  const versions = found.reads.get(sources[0] as Source)?.record.versions
  t.strictSame(versions, [third.version, first.version], 'the older version was disabled while another object was read')
  t.equal(found.settled, true)
})

void t.test('what a failed request says of the rest of the poll', async (t) => {
  for (const [kind, isAsked] of [
    ['throttled', false],
    ['sign-in', false],
    ['sign-in-unavailable', false],
    ['unauthorized', false],
    ['timeout', false],
    ['forbidden', true],
    ['gone', true],
  ] as const) {
    const { twin, poll } = stand([objectOf('a'), objectOf('b')])
    twin.fault = ({ name }) => (name === 'a' ? { kind } : undefined)
    const { reads, failures } = await poll()
    t.equal(failures.size, 1, kind)
    t.equal(reads.size, isAsked ? 1 : 0, `${kind}: the other object is ${isAsked ? '' : 'not '}read`)
  }
})

void t.test('one object that fails for a while does not keep the others from being read', async (t) => {
  const { twin, poll } = stand([objectOf('a'), objectOf('b'), objectOf('c')])
  twin.fault = ({ name }) => (name === 'b' ? { kind: 'unavailable' } : undefined)
  const { reads, failures } = await poll()
  t.strictSame([...reads.keys()].map(({ name }) => name), ['a', 'c']) // prettier-ignore
  t.equal(failures.size, 1)
  const next = stand([objectOf('a'), objectOf('b')], { isFailing: ({ name }) => name === 'a' })
  next.twin.fault = ({ name }) => (name === 'a' ? { kind: 'unavailable' } : undefined)
  t.equal((await next.poll()).reads.size, 1, 'what failed last time comes last')
})

void t.test('a list that is no help is left out for an hour, and the objects are read', async (t) => {
  for (const [kind, refused] of [
    ['malformed', false],
    ['bad-request', false],
    ['not-found', false],
    ['forbidden', true],
  ] as const) {
    const record = { version: '0', versions: ['0'], attributes: { enabled: true, updated: 1 }, answeredAt: 1e12, fetchedAt: 1 } // prettier-ignore
    const known = (): Known => ({ record, refreshAt: Infinity })
    const { twin, poll, sources } = stand([objectOf('a'), objectOf('b')], { known })
    twin.fault = ({ operation }) => (operation === 'list' ? { kind } : undefined)
    const { reads, listings, listFailures } = await poll()
    t.strictSame([reads.size, listFailures.length], [sources.length, 0], kind)
    t.match([...listings.values()], [{ refused, avoidUntil: 1_000_000_000 + 3_600_000 + avoidListing }])
  }
})

void t.test('a defect while reading ends nothing and quotes nothing', async (t) => {
  const { vault, poll } = stand([objectOf('a'), objectOf('b')])
  const get = vault.get.bind(vault)
  vault.get = (type, name, version, signal) => {
    if (name === 'a') throw new RangeError('s3cr3t')
    return get(type, name, version, signal)
  }
  const { failures } = await poll()
  const [failure] = [...failures.values()]
  t.ok(failure instanceof VaultFailure)
  t.match(failure, { kind: 'malformed', message: /^an unexpected RangeError while reading the vault$/ })
})

const old = { version: '0', versions: ['0'], attributes: { enabled: true, updated: 1 }, answeredAt: 1e12, fetchedAt: 1 }

void t.test(
  'of many objects the rest is not read once the vault asks for patience, and is if one alone fails',
  async (t) => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    for (const [kind, isAsked] of [
      ['throttled', false],
      ['sign-in-unavailable', false],
      ['unavailable', true],
      ['forbidden', true],
    ] as const) {
      const { twin, poll } = stand(names.map((name) => objectOf(name)))
      twin.fault = ({ name }) => (name === 'b' ? { kind } : undefined)
      const { failures } = await poll()
      t.equal(failures.size, 1, kind)
      const asked = new Set(twin.asked.flatMap(({ name }) => name ?? []))
      t.equal(asked.size === names.length, isAsked, `${kind}: ${[...asked].join()}`)
    }
  },
)

void t.test('a list that is throttled ends the poll', async (t) => {
  const known = ({ name }: Source): Known | undefined =>
    name === 'c' ? undefined : { record: old, refreshAt: Infinity }
  const { twin, poll } = stand([objectOf('a'), objectOf('b'), objectOf('c')], { known })
  twin.fault = ({ operation }) => (operation === 'list' ? { kind: 'throttled' } : undefined)
  t.match(await poll(), { listFailures: [{ kind: 'throttled' }] })
  t.equal(twin.count('get'), 0)
})

void t.test('confirming: by a list of as many pages as there are objects', async (t) => {
  const { twin, poll } = stand([objectOf('a'), objectOf('b')], { listing: () => ({ pages: 2 }) })
  twin.others = 26
  await poll()
  t.strictSame(twin.asked.map(({ operation }) => operation), ['get', 'get', 'list']) // prettier-ignore
})

void t.test('confirming: not at all if lists are refused', async (t) => {
  const { twin, poll } = stand([objectOf('a'), objectOf('b')], { listing: () => ({ refused: true, avoidUntil: Infinity }) }) // prettier-ignore
  await poll()
  t.strictSame(twin.asked.map(({ operation }) => operation), ['get', 'get']) // prettier-ignore
})

void t.test('confirming: an object that failed and is read then has not failed', async (t) => {
  const known = ({ name }: Source): Known | undefined => (name === 'b' ? { record: old, refreshAt: 0 } : undefined)
  const { twin, poll, sources } = stand([objectOf('a'), objectOf('b')], { known })
  let reads = 0
  twin.fault = ({ name }) => (name === 'b' && ++reads === 1 ? { kind: 'forbidden' } : undefined)
  const { failures, reads: read } = await poll()
  t.strictSame([failures.size, read.has(sources[1] as Source)], [0, true])
})

void t.test(
  'confirming: neither what failed nor what is pinned, and nothing once the vault asks for patience',
  async (t) => {
    const namesOf = (twin: Twin) => twin.asked.map(({ operation, name }) => name ?? operation)
    const refused = stand([objectOf('a'), objectOf('b')])
    refused.twin.fault = ({ name }) => (name === 'b' ? { kind: 'forbidden' } : undefined)
    await refused.poll()
    t.strictSame(namesOf(refused.twin), ['a', 'b', 'list'])
    const throttled = stand([objectOf('a'), objectOf('b')])
    throttled.twin.fault = ({ name }) => (name === 'b' ? { kind: 'throttled' } : undefined)
    t.match(await throttled.poll(), { settled: false })
    t.strictSame(namesOf(throttled.twin), ['a', 'b'])
    const objects = [objectOf('a'), objectOf('b')]
    const pinned = stand(objects)
    const version = pinned.twin.set('c', 'pinned')
    pinned.twin.set('c', 'newer')
    pinned.sources.push(...sourcesOf([objectOf(`c@${version}`)]))
    await pinned.poll()
    t.equal(namesOf(pinned.twin).filter((name) => name === 'c').length, 1)
  },
)

void t.test('confirming: a history reads no value twice', async (t) => {
  const { twin, poll } = stand([objectOf('a', { history: 2 }), objectOf('b')])
  onceAt(twin, at('list'), () => void twin.set('a', 'a-2'))
  const { reads } = await poll()
  t.equal(twin.asked.filter(({ operation, name }) => operation === 'get' && name === 'a').length, 2)
  t.strictSame([...reads.values()].map(({ contents = [] }) => contents.length).toSorted(), [1, 2])
})

void t.test('what a list shows to be as it was read is unchanged, and a list that misleads is left out', async (t) => {
  const objects = [objectOf('a'), objectOf('b')]
  const first = stand(objects)
  const { reads } = await first.poll()
  const known = ({ name }: Source): Known | undefined => {
    const [, read] = [...reads].find(([source]) => source.name === name) ?? []
    return read && { record: read.record, refreshAt: Infinity }
  }
  const versions = new Map([...reads].map(([{ name }, { record }]) => [name, record.version]))
  for (const [name, listed] of [
    ['a true list', undefined],
    ['a list without times', () => ({ enabled: true })],
  ] as const) {
    const next = stand(objects, { known })
    if (listed) next.twin.listed = listed
    const found = await next.poll()
    t.equal(versions.size, 2)
    t.equal(found.unchanged.length, listed ? 0 : 2, name)
    t.equal(
      [...found.listings.values()].some(({ avoidUntil }) => avoidUntil !== undefined),
      listed !== undefined,
      name,
    )
  }
})
