import t from 'tap'
import type { Known } from '../../../shared/detect/read-plan.ts'
import { avoidListingMs } from '../../../shared/detect/read-vault.ts'
import { sourcesOf, type Source } from '../../../shared/detect/sources.ts'
import { VaultFailure, type ListedVersion } from '../../../shared/vault/store.ts'
import { objectOf } from '../../support/settings.ts'
import type { FakeVault, VaultCall } from '../../support/fake-vault.ts'
import { stand } from './vault-stand.ts'

/** Calls `then` once, at the first request that fits. */
function onceAt(fake: FakeVault, fits: (asked: VaultCall) => boolean, then: () => void) {
  let isDone = false
  fake.before = (asked) => {
    if (isDone || !fits(asked)) return
    isDone = true
    then()
  }
}

const at = (operation: VaultCall['operation'], name?: string) => (asked: VaultCall) =>
  asked.operation === operation && asked.name === name

void t.test('confirming: values are confirmed if nothing changed while the vault was read', async (t) => {
  const { fake, poll } = stand([objectOf('a'), objectOf('b')])
  t.match(await poll(), { consistent: true })
  t.strictSame(
    fake.asked.map(({ operation }) => operation),
    ['get', 'get', 'list'],
  )
})

void t.test('confirming: the only source of a poll needs no confirmation', async (t) => {
  const { fake, poll } = stand([objectOf('a')])
  t.match(await poll(), { consistent: true })
  t.strictSame(
    fake.asked.map(({ operation }) => operation),
    ['get'],
  )
})

void t.test('confirming: an object that changed and then cannot be read leaves the values unconfirmed', async (t) => {
  const { fake, poll, sources } = stand([objectOf('a'), objectOf('b')])
  onceAt(fake, at('list'), () => {
    fake.set('b', 'b-2')
    fake.fault = (asked) => (asked.name === 'b' ? { kind: 'unavailable' } : undefined)
  })
  const found = await poll()
  t.ok(found.failures.has(sources[1] as Source))
  t.equal(found.consistent, false)
})

void t.test('confirming: a list that fails leaves the values unconfirmed', async (t) => {
  const { fake, poll } = stand([objectOf('a'), objectOf('b')])
  fake.fault = ({ operation }) => (operation === 'list' ? { kind: 'unavailable' } : undefined)
  t.match(await poll(), { consistent: false, listFailures: [{ kind: 'unavailable' }] })
})

void t.test('confirming: a history is read again, because a list shows only its newest version', async (t) => {
  const { fake, vault, poll, sources } = stand([objectOf('a', { history: 2 }), objectOf('b')])
  fake.set('a', 'a-2', { created: 1_000, updated: 1_000 })
  fake.set('a', 'a-3', { created: 2_000, updated: 2_000 })
  const [first, second, third] = (await fake.versions('secret', 'a', new AbortController().signal)) as [
    ListedVersion,
    ListedVersion,
    ListedVersion,
  ]
  first.attributes = { enabled: true, created: 500, updated: 500 }
  let isDisabled = false
  vault.versions = async () => [third, { ...second, attributes: { ...second.attributes, enabled: !isDisabled } }, first]
  onceAt(fake, at('get', 'b'), () => (isDisabled = true))
  const found = await poll()
  const versions = found.reads.get(sources[0] as Source)?.record.versions
  t.strictSame(versions, [third.version, first.version], 'the older version was disabled while another object was read')
  t.equal(found.consistent, true)
})

void t.test('reading a vault: a failure of the whole vault ends the poll, one of an object does not', async (t) => {
  for (const [kind, isAsked] of [
    ['throttled', false],
    ['sign-in', false],
    ['sign-in-unavailable', false],
    ['unauthorized', false],
    ['timeout', false],
    ['forbidden', true],
    ['gone', true],
  ] as const) {
    const { fake, poll } = stand([objectOf('a'), objectOf('b')])
    fake.fault = ({ name }) => (name === 'a' ? { kind } : undefined)
    const { reads, failures } = await poll()
    t.equal(failures.size, 1, kind)
    t.equal(reads.size, isAsked ? 1 : 0, `${kind}: the other object is ${isAsked ? '' : 'not '}read`)
  }
})

void t.test('reading a vault: an object that fails temporarily does not keep the others from being read', async (t) => {
  const { fake, poll } = stand([objectOf('a'), objectOf('b'), objectOf('c')])
  fake.fault = ({ name }) => (name === 'b' ? { kind: 'unavailable' } : undefined)
  const { reads, failures } = await poll()
  t.strictSame(
    [...reads.keys()].map(({ name }) => name),
    ['a', 'c'],
  )
  t.equal(failures.size, 1)
  const next = stand([objectOf('a'), objectOf('b')], { isFailing: ({ name }) => name === 'a' })
  next.fake.fault = ({ name }) => (name === 'a' ? { kind: 'unavailable' } : undefined)
  t.equal((await next.poll()).reads.size, 1, 'what failed last time comes last')
})

void t.test(
  'reading a vault: a list that is refused or useless is skipped for an hour, and the objects are read',
  async (t) => {
    for (const [kind, refused] of [
      ['malformed', false],
      ['bad-request', false],
      ['not-found', false],
      ['forbidden', true],
    ] as const) {
      const record = {
        version: '0',
        versions: ['0'],
        attributes: { enabled: true, updated: 1 },
        answeredAt: 1e12,
        fetchedAt: 1,
      }
      const known = (): Known => ({ record, refreshAt: Infinity })
      const { fake, poll, sources } = stand([objectOf('a'), objectOf('b')], { known })
      fake.fault = ({ operation }) => (operation === 'list' ? { kind } : undefined)
      const { reads, listings, listFailures } = await poll()
      t.strictSame([reads.size, listFailures.length], [sources.length, 0], kind)
      t.match([...listings.values()], [{ refused, avoidUntil: 1_000_000_000 + 3_600_000 + avoidListingMs }])
    }
  },
)

void t.test('reading a vault: a bug while reading ends nothing and quotes nothing', async (t) => {
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
  'reading a vault: a failure of the whole vault ends the reads of a poll, one of an object does not',
  async (t) => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    for (const [kind, isAsked] of [
      ['throttled', false],
      ['sign-in-unavailable', false],
      ['unavailable', true],
      ['forbidden', true],
    ] as const) {
      const { fake, poll } = stand(names.map((name) => objectOf(name)))
      fake.fault = ({ name }) => (name === 'b' ? { kind } : undefined)
      const { failures } = await poll()
      t.equal(failures.size, 1, kind)
      const asked = new Set(fake.asked.flatMap(({ name }) => name ?? []))
      t.equal(asked.size === names.length, isAsked, `${kind}: ${[...asked].join()}`)
    }
  },
)

void t.test('reading a vault: a list that is throttled ends the poll', async (t) => {
  const known = ({ name }: Source): Known | undefined =>
    name === 'c' ? undefined : { record: old, refreshAt: Infinity }
  const { fake, poll } = stand([objectOf('a'), objectOf('b'), objectOf('c')], { known })
  fake.fault = ({ operation }) => (operation === 'list' ? { kind: 'throttled' } : undefined)
  t.match(await poll(), { listFailures: [{ kind: 'throttled' }] })
  t.equal(fake.count('get'), 0)
})

void t.test('confirming: one list confirms, even with as many pages as there are objects', async (t) => {
  const { fake, poll } = stand([objectOf('a'), objectOf('b')], { listing: () => ({ pages: 2 }) })
  fake.others = 26
  await poll()
  t.strictSame(
    fake.asked.map(({ operation }) => operation),
    ['get', 'get', 'list'],
  )
})

void t.test('confirming: nothing is requested if lists are refused', async (t) => {
  const { fake, poll } = stand([objectOf('a'), objectOf('b')], {
    listing: () => ({ refused: true, avoidUntil: Infinity }),
  })
  await poll()
  t.strictSame(
    fake.asked.map(({ operation }) => operation),
    ['get', 'get'],
  )
})

void t.test('confirming: an object that failed and is then read has not failed', async (t) => {
  const known = ({ name }: Source): Known | undefined => (name === 'b' ? { record: old, refreshAt: 0 } : undefined)
  const { fake, poll, sources } = stand([objectOf('a'), objectOf('b')], { known })
  let reads = 0
  fake.fault = ({ name }) => (name === 'b' && ++reads === 1 ? { kind: 'forbidden' } : undefined)
  const { failures, reads: read } = await poll()
  t.strictSame([failures.size, read.has(sources[1] as Source)], [0, true])
})

void t.test('confirming: failed and pinned objects are skipped, and everything once the vault throttles', async (t) => {
  const namesOf = (fake: FakeVault) => fake.asked.map(({ operation, name }) => name ?? operation)
  const refused = stand([objectOf('a'), objectOf('b')])
  refused.fake.fault = ({ name }) => (name === 'b' ? { kind: 'forbidden' } : undefined)
  await refused.poll()
  t.strictSame(namesOf(refused.fake), ['a', 'b', 'list'])
  const throttled = stand([objectOf('a'), objectOf('b')])
  throttled.fake.fault = ({ name }) => (name === 'b' ? { kind: 'throttled' } : undefined)
  t.match(await throttled.poll(), { consistent: false })
  t.strictSame(namesOf(throttled.fake), ['a', 'b'])
  const objects = [objectOf('a'), objectOf('b')]
  const pinned = stand(objects)
  const version = pinned.fake.set('c', 'pinned')
  pinned.fake.set('c', 'newer')
  pinned.sources.push(...sourcesOf([objectOf(`c@${version}`)]))
  await pinned.poll()
  t.equal(namesOf(pinned.fake).filter((name) => name === 'c').length, 1)
})

void t.test('confirming: a history reads no value twice', async (t) => {
  const { fake, poll } = stand([objectOf('a', { history: 2 }), objectOf('b')])
  onceAt(fake, at('list'), () => void fake.set('a', 'a-2'))
  const { reads } = await poll()
  t.equal(fake.asked.filter(({ operation, name }) => operation === 'get' && name === 'a').length, 2)
  t.strictSame([...reads.values()].map(({ contents = [] }) => contents.length).toSorted(), [1, 2])
})

void t.test('reading a vault: a list shows what is unchanged, and a misleading list is not used again', async (t) => {
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
    if (listed) next.fake.listed = listed
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
