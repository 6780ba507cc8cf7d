import t from 'tap'
import {
  changedIn,
  isUnchanged,
  isWorthListing,
  planReads,
  type Known,
  type Listing,
} from '../../../shared/detect/read-plan.ts'
import { sourcesOf, type Source } from '../../../shared/detect/sources.ts'
import type { Attributes } from '../../../shared/vault/store.ts'
import type { SourceRecord } from '../../../shared/detect/sources.ts'
import { objectOf } from '../../support/settings.ts'

const attributes: Attributes = { enabled: true, created: 1000, updated: 2000 }

const recordOf = (overrides: Partial<SourceRecord> = {}): SourceRecord => ({
  version: 'v1',
  versions: ['v1'],
  attributes,
  answeredAt: 3_000_000,
  fetchedAt: 3_000_000,
  ...overrides,
})

void t.test('read plan: a listed item shows that nothing changed', async (t) => {
  const cases: Record<string, { record?: Partial<SourceRecord>; listed: Attributes | undefined; unchanged: boolean }> =
    {
      'with equal attributes': { listed: { ...attributes }, unchanged: true },
      'not when it was changed later': { listed: { ...attributes, updated: 2001 }, unchanged: false },
      'not when it was changed earlier, as after a recovery': {
        listed: { ...attributes, updated: 1999 },
        unchanged: false,
      },
      'not when it was created again': { listed: { ...attributes, created: 1001 }, unchanged: false },
      'not when it was disabled': { listed: { ...attributes, enabled: false }, unchanged: false },
      'not when it got an end': { listed: { ...attributes, expires: 9000 }, unchanged: false },
      'not when it got a beginning': { listed: { ...attributes, notBefore: 10 }, unchanged: false },
      'not when a certificate has another thumbprint': {
        listed: { ...attributes, thumbprint: 'AAAA' },
        unchanged: false,
      },
      'not when it is missing': { listed: undefined, unchanged: false },
      'not when it was changed less than 5 s before it was read': {
        record: { answeredAt: 2_005_000 },
        listed: attributes,
        unchanged: false,
      },
      'when it was changed more than 5 s before it was read': {
        record: { answeredAt: 2_005_001 },
        listed: attributes,
        unchanged: true,
      },
      'not when the time of the change is unknown': {
        record: { attributes: { enabled: true } },
        listed: { enabled: true },
        unchanged: false,
      },
    }
  for (const [name, { record = {}, listed, unchanged }] of Object.entries(cases)) {
    t.equal(isUnchanged(recordOf(record), listed), unchanged, name)
  }
  const { answeredAt: _, ...withoutClock } = recordOf()
  t.equal(isUnchanged(withoutClock, attributes), false, "not without the server's clock")
})

void t.test('read plan: items are found by name without case', async (t) => {
  const sources = sourcesOf([objectOf('Db-Password'), objectOf('api-key')])
  const items = new Map([
    ['db-password', attributes],
    ['api-key', { ...attributes, updated: 2001 }],
  ])
  const changed = changedIn(items, sources, () => ({ record: recordOf(), refreshAt: Infinity }))
  t.strictSame(
    changed.map(({ name }) => name),
    ['api-key'],
  )
})

void t.test('read plan: a poll requests a list or single objects, whichever takes fewer requests', async (t) => {
  const now = 1_000
  const fresh: Known = { record: recordOf(), refreshAt: now + 1 }
  const plan = (
    objects: string[],
    known: (source: Source) => Known | undefined,
    listing: Listing = {},
    overrides = {},
  ) => {
    const { lists, gets } = planReads(
      sourcesOf(objects.map((text) => objectOf(text, overrides))),
      known,
      () => listing,
      now,
    )
    return {
      lists: [...lists.values()].map((group) => group.map(({ name }) => name)),
      gets: gets.map(({ name }) => name),
    }
  }
  const all = ['a', 'b', 'c']
  t.strictSame(
    plan(all, () => undefined),
    { lists: [], gets: all },
    'what is unknown is read',
  )
  t.strictSame(
    plan(all, () => fresh),
    { lists: [all], gets: [] },
    'what is known is listed',
  )
  t.strictSame(
    plan(['a'], () => fresh),
    { lists: [], gets: ['a'] },
    'a list for one object saves nothing',
  )
  t.strictSame(plan(['a', 'key/b', 'cert/c'], () => fresh).lists, [], 'nor one for each type')
  t.strictSame(
    plan(['a', 'b', 'x:c', 'x:d', 'key/e'], () => fresh),
    {
      lists: [
        ['a', 'b'],
        ['c', 'd'],
      ],
      gets: ['e'],
    },
    'a list answers for one type of one vault',
  )
  t.strictSame(
    plan(all, () => ({ ...fresh, refreshAt: now })),
    { lists: [], gets: all },
    'a full refresh is due',
  )
  t.strictSame(
    plan(all, ({ name }) => (name === 'a' ? undefined : fresh)),
    { lists: [['b', 'c']], gets: ['a'] },
    'a mixture',
  )
  t.strictSame(
    plan(all, () => fresh, { pages: 2 }),
    { lists: [all], gets: [] },
    'two pages for three objects',
  )
  t.strictSame(
    plan(all, () => fresh, { pages: 3 }),
    { lists: [], gets: all },
    'three pages for three objects',
  )
  t.strictSame(
    plan(all, () => fresh, { avoidUntil: now + 1 }),
    { lists: [], gets: all },
    'a list that was refused',
  )
  t.strictSame(
    plan(all, () => fresh, { avoidUntil: now }),
    { lists: [all], gets: [] },
    'an hour later',
  )
  t.strictSame(
    plan(['a@v1', 'b@v2'], () => fresh),
    { lists: [], gets: [] },
    'pinned versions are never asked for again',
  )
  t.strictSame(
    plan(['a@v1'], () => undefined),
    { lists: [], gets: ['a'] },
    'but once',
  )
  t.strictSame(
    plan(['a@v1', 'b'], () => fresh, {}, { history: 2 }),
    { lists: [], gets: ['a', 'b'] },
    'histories are read',
  )
  const unsettled = { record: recordOf({ answeredAt: 2_001_000 }), refreshAt: Infinity }
  t.strictSame(
    plan(all, () => unsettled),
    { lists: [], gets: all },
    'a list proves nothing of what was changed just before',
  )
})

void t.test('read plan: a list is worth less than the reads it saves', async (t) => {
  t.equal(isWorthListing({}, 1, 0), false, 'one page is assumed')
  t.equal(isWorthListing({}, 2, 0), true)
  t.equal(isWorthListing({ pages: 40 }, 40, 0), false)
})
