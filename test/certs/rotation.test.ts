import t, { type Test } from 'tap'
import { BACKDATE_MS } from '../../certs/authority.ts'
import { readiness } from '../../certs/readiness.ts'
import { plan, renewalTime, type Action, type Observed } from '../../certs/rotation.ts'
import { callSegment, knowSegments } from '../../certs/segments.ts'
import { see, type LiveConfiguration } from '../../certs/sightings.ts'
import type { Authority, Leaf } from '../../certs/x509.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const lifetimes = { authority: 90 * DAY, leaf: 30 * DAY, settle: MINUTE }
/** The day on which the old authority and its certificate were made; times below are counted from it. */
const start = Date.parse('2030-01-01T00:00:00Z')

const authority = (id: string, madeAt = 0, life = lifetimes.authority): Authority => ({
  id,
  pem: id,
  notBefore: start + madeAt - BACKDATE_MS,
  notAfter: start + madeAt + life,
})
const leaf = (id: string, issuer: Authority, madeAt = 0): Leaf => ({
  ...authority(id, madeAt, lifetimes.leaf),
  key: `key of ${id}`,
  authority: issuer.id,
})

const old = authority('old')
const next = authority('next', 60 * DAY)
const foreign = authority('foreign', -DAY)
const oldLeaf = leaf('old leaf', old)
const lateOldLeaf = leaf('late old leaf', old, 59 * DAY)
const nextLeaf = leaf('next leaf', next, 60 * DAY + 2 * MINUTE)

/** What paths begin with, unless a case says otherwise. */
const segment = '0'.repeat(32)

const signer = (of: Authority) => ({ authority: of, key: `key of ${of.id}` })
const record = (of: Authority, leavesUntil: number) => ({
  [of.id]: { leavesUntil: start + leavesUntil, notAfter: of.notAfter },
})
const live = (...bundles: Authority[][]): LiveConfiguration[] =>
  bundles.map((authorities, number) => ({
    id: `configuration ${number}`,
    uid: 'uid',
    generation: 1,
    webhooks: [
      { name: 'enabled', authorities, segment, path: '/enabled' },
      { name: 'report', authorities, segment, path: '/report' },
    ],
  }))

interface Case {
  name: string
  at: number
  secret?: Partial<NonNullable<Observed['secret']>>
  live?: LiveConfiguration[]
  /** when this replica first looked at what is live; long ago unless given */
  since?: number
  serving?: Leaf
  expect: Partial<Action>[]
  wakeAt?: number
}

const empty = { authorities: [], segments: [segment], records: {} }
const calm = { authorities: [old], signer: signer(old), leaf: oldLeaf, records: record(old, 30 * DAY) }
const published = { authorities: [next, old], signer: signer(next), leaf: lateOldLeaf, records: record(old, 89 * DAY) }
const changed = { ...published, leaf: nextLeaf, records: { ...record(old, 89 * DAY), ...record(next, 90 * DAY) } }

const cases: Case[] = [
  { name: 'no Secret', at: 0, expect: [] },
  {
    name: 'first start: an authority and a certificate at once',
    at: 0,
    secret: empty,
    live: live([], []),
    expect: [{ type: 'create-authority', keep: [], leaf: undefined }],
  },
  {
    name: 'first start, made by another replica: serve and publish',
    at: 0,
    secret: calm,
    live: live([], []),
    expect: [
      { type: 'serve', leaf: oldLeaf },
      { type: 'publish-bundle', configuration: 'configuration 0', bundle: [old] },
      { type: 'publish-bundle', configuration: 'configuration 1', bundle: [old] },
    ],
  },
  {
    name: 'all is well',
    at: DAY,
    secret: calm,
    live: live([old]),
    serving: oldLeaf,
    expect: [],
    wakeAt: renewalTime(oldLeaf),
  },
  {
    name: 'the order in a caBundle does not matter',
    at: 60 * DAY + 3 * MINUTE,
    secret: changed,
    live: live([old, next]),
    serving: nextLeaf,
    expect: [],
  },
  {
    name: 'one configuration has lost its caBundle',
    at: DAY,
    secret: calm,
    live: live([old], []),
    serving: oldLeaf,
    expect: [{ type: 'publish-bundle', configuration: 'configuration 1', bundle: [old] }],
  },
  {
    name: 'one webhook of one configuration has lost its caBundle',
    at: DAY,
    secret: calm,
    live: live([old]).map((one) => ({
      ...one,
      webhooks: [one.webhooks[0]!, { name: 'report', authorities: [], segment, path: '/report' }],
    })),
    serving: oldLeaf,
    expect: [{ type: 'publish-bundle', configuration: 'configuration 0', bundle: [old] }],
  },
  { name: 'no configuration yet', at: DAY, secret: calm, live: [], serving: oldLeaf, expect: [] },
  {
    name: 'just before two thirds of a certificate',
    at: 20 * DAY - 1,
    secret: calm,
    live: live([old]),
    serving: oldLeaf,
    expect: [],
  },
  {
    name: 'two thirds of a certificate',
    at: 20 * DAY,
    secret: calm,
    live: live([old]),
    serving: oldLeaf,
    expect: [{ type: 'issue-leaf', reason: 'two thirds of the life of the certificate are over' }],
  },
  {
    name: 'a certificate renewed by another replica is served at once',
    at: 20 * DAY,
    secret: { ...calm, leaf: leaf('renewed', old, 20 * DAY) },
    live: live([old]),
    since: 20 * DAY,
    serving: oldLeaf,
    expect: [{ type: 'serve', leaf: leaf('renewed', old, 20 * DAY) }],
  },
  {
    name: 'two thirds of an authority: a new one beside it, and the certificate stays',
    at: 60 * DAY,
    secret: { ...calm, leaf: lateOldLeaf, records: record(old, 89 * DAY) },
    live: live([old]),
    serving: lateOldLeaf,
    expect: [{ type: 'create-authority', keep: [old], leaf: lateOldLeaf }],
  },
  {
    name: 'the new authority is published',
    at: 60 * DAY,
    secret: published,
    live: live([old]),
    serving: lateOldLeaf,
    expect: [{ type: 'publish-bundle', bundle: [next, old] }],
  },
  {
    name: 'published, not settled: wait',
    at: 60 * DAY + MINUTE - 1,
    since: 60 * DAY,
    secret: published,
    live: live([next, old]),
    serving: lateOldLeaf,
    expect: [],
    wakeAt: start + 60 * DAY + MINUTE,
  },
  {
    name: 'published and settled',
    at: 60 * DAY + MINUTE,
    since: 60 * DAY,
    secret: published,
    live: live([next, old]),
    serving: lateOldLeaf,
    expect: [{ type: 'issue-leaf', reason: 'a new authority has settled' }],
  },
  {
    name: 'published in one of two configurations only',
    at: 60 * DAY + MINUTE,
    since: 60 * DAY,
    secret: published,
    live: live([next, old], [old]),
    serving: lateOldLeaf,
    expect: [{ type: 'publish-bundle', configuration: 'configuration 1' }],
  },
  {
    name: "a certificate that is due waits for the new authority's settle time",
    at: 79 * DAY + 1,
    since: 79 * DAY,
    secret: published,
    live: live([next, old]),
    serving: lateOldLeaf,
    expect: [],
  },
  {
    name: 'a certificate that has ended waits for nothing',
    at: 89 * DAY,
    since: 89 * DAY,
    secret: published,
    live: live([next, old]),
    serving: lateOldLeaf,
    expect: [{ type: 'issue-leaf', reason: 'the certificate is not valid now' }],
  },
  {
    name: 'the new certificate is served once its authority has settled for this replica too',
    at: 60 * DAY + 3 * MINUTE,
    secret: changed,
    live: live([next, old]),
    serving: lateOldLeaf,
    expect: [{ type: 'serve', leaf: nextLeaf }],
  },
  {
    name: 'a replica that serves what callers trust does not trust a caBundle that it has just seen',
    at: 60 * DAY + 3 * MINUTE,
    since: 60 * DAY + 3 * MINUTE,
    secret: changed,
    live: live([next, old]),
    serving: lateOldLeaf,
    expect: [],
    wakeAt: start + 60 * DAY + 4 * MINUTE,
  },
  {
    name: 'a replica that has just started serves what is there',
    at: 60 * DAY + 3 * MINUTE,
    since: 60 * DAY + 3 * MINUTE,
    secret: changed,
    live: live([next, old]),
    expect: [{ type: 'serve', leaf: nextLeaf }],
  },
  {
    name: 'a replica whose own is not trusted takes what is, at once',
    at: 60 * DAY + 3 * MINUTE,
    since: 60 * DAY + 3 * MINUTE,
    secret: { ...changed, authorities: [next] },
    live: live([next]),
    serving: lateOldLeaf,
    expect: [{ type: 'serve', leaf: nextLeaf }],
  },
  {
    name: 'the old authority stays while a certificate of it may live',
    at: 79 * DAY,
    secret: changed,
    live: live([next, old]),
    serving: nextLeaf,
    expect: [],
  },
  {
    name: 'the old authority is let go of a settle time after its last certificate has ended',
    at: 89 * DAY + MINUTE,
    secret: { ...changed, leaf: leaf('renewed', next, 80 * DAY) },
    live: live([next, old]),
    serving: leaf('renewed', next, 80 * DAY),
    expect: [{ type: 'drop-authorities', authorities: [old] }],
  },
  {
    name: 'what was let go of is taken out of the caBundles',
    at: 89 * DAY + MINUTE,
    secret: { ...changed, authorities: [next], leaf: leaf('renewed', next, 80 * DAY) },
    live: live([next, old]),
    serving: leaf('renewed', next, 80 * DAY),
    expect: [{ type: 'publish-bundle', bundle: [next] }],
  },
  {
    name: 'an emptied Secret: a new authority, and what callers trust and this replica serves is kept',
    at: DAY,
    secret: empty,
    live: live([old]),
    serving: oldLeaf,
    expect: [{ type: 'create-authority', keep: [old], leaf: oldLeaf }, { type: 'adopt-authorities' }],
  },
  {
    name: 'an emptied Secret, seen by a replica that serves nothing',
    at: DAY,
    secret: empty,
    live: live([old]),
    expect: [{ type: 'create-authority', keep: [old], leaf: undefined }, { type: 'adopt-authorities' }],
  },
  {
    name: 'an emptied Secret and wiped caBundles: what nobody trusts is not kept',
    at: DAY,
    secret: empty,
    live: live([]),
    serving: oldLeaf,
    expect: [{ type: 'create-authority', keep: [], leaf: undefined }],
  },
  {
    name: "the authority's key is lost",
    at: DAY,
    secret: { ...calm, signer: undefined },
    live: live([old]),
    serving: oldLeaf,
    expect: [{ type: 'create-authority', keep: [old], leaf: oldLeaf }],
  },
  {
    name: "the certificate's key is lost, and this replica has it",
    at: DAY,
    secret: { ...calm, leaf: undefined },
    live: live([old]),
    serving: oldLeaf,
    expect: [{ type: 'restore-leaf', leaf: oldLeaf }],
  },
  {
    name: "the certificate's key is lost, and this replica has nothing",
    at: DAY,
    secret: { ...calm, leaf: undefined },
    live: live([old]),
    expect: [{ type: 'issue-leaf', reason: 'the Secret holds none for our Services' }],
  },
  {
    name: 'all has ended',
    at: 200 * DAY,
    secret: calm,
    live: live([old]),
    serving: oldLeaf,
    expect: [{ type: 'create-authority', keep: [], leaf: undefined }],
  },
  {
    name: "the authority is not valid yet, by this replica's clock",
    at: -DAY,
    secret: calm,
    live: live([old]),
    expect: [{ type: 'create-authority', keep: [old], leaf: undefined }],
  },
  {
    name: 'callers trust what the Secret does not know: it is kept before anything is published',
    at: DAY,
    secret: calm,
    live: live([foreign, old]),
    serving: oldLeaf,
    expect: [{ type: 'adopt-authorities', authorities: [foreign] }],
  },
  {
    name: 'what was let go of does not come back with an archived caBundle',
    at: 89 * DAY + MINUTE,
    secret: { ...changed, authorities: [next], leaf: leaf('renewed', next, 80 * DAY) },
    live: live([old]),
    serving: leaf('renewed', next, 80 * DAY),
    expect: [{ type: 'publish-bundle', bundle: [next] }],
  },
  {
    name: 'an authority that has ended does not come back',
    at: DAY,
    secret: calm,
    live: live([old, authority('ended', -90 * DAY, 89 * DAY)]),
    serving: oldLeaf,
    expect: [{ type: 'publish-bundle', bundle: [old] }],
  },
]

void t.test('what to do next', async (t) => {
  expectPlans(t, cases)
})

function expectPlans(t: Test, cases: readonly Case[]): void {
  for (const { name, at, secret, live = [], since = -30 * DAY, serving, expect, wakeAt } of cases) {
    const sightings = see(new Map(), live, start + since)
    const state = secret && { ...empty, ...secret }
    const known = knowSegments(new Map(), { secret: state, configurations: live }, { now: start + at, settle: lifetimes.settle }) // prettier-ignore
    const planned = plan({ secret: state, configurations: live, sightings, known, serving }, start + at, lifetimes)
    t.strictSame(
      planned.actions.map(({ type }) => type),
      expect.map(({ type }) => type),
      name,
    )
    t.match(planned.actions, expect, name)
    if (wakeAt !== undefined) t.equal(planned.wakeAt, wakeAt, `${name}: when to look again`)
  }
}

const otherSegment = '1'.repeat(32)
const using = (segments: (string | undefined)[], ...bundles: Authority[][]): LiveConfiguration[] =>
  live(...bundles).map((one) => ({ ...one, webhooks: one.webhooks.map((webhook, index) => ({ ...webhook, segment: segments[index] })) })) // prettier-ignore

/** What is published for the two entries. */
const called = (enabled: string, report: string) => ({
  enabled: callSegment(enabled, '/enabled')!,
  report: callSegment(report, '/report')!,
})

/** An entry's own segment, of which no secret is known. */
const lone = `${'2'.repeat(32)}/report`

/** Of a rotation after which nothing is served that the old authority has issued. */
const alone = { ...changed, authorities: [next], leaf: leaf('renewed', next, 80 * DAY) }
const later = 89 * DAY + 2 * MINUTE

const segmentCases: Case[] = [
  {
    name: 'the Secret holds no segment and no path has one: an earlier release wrote them',
    at: DAY,
    secret: { ...calm, segments: [] },
    live: using([undefined, undefined], [old]),
    serving: oldLeaf,
    expect: [{ type: 'create-authority', keep: [old], keepSegments: [], leaf: oldLeaf }],
  },
  {
    name: 'the Secret has lost the segment that callers use',
    at: DAY,
    secret: { ...calm, segments: [] },
    live: live([old]),
    serving: oldLeaf,
    expect: [{ type: 'adopt-segments', segments: [segment] }],
  },
  {
    name: 'a strange segment is written over: every replica knows the one in the Secret',
    at: DAY,
    secret: calm,
    live: using([otherSegment, undefined], [old]),
    serving: oldLeaf,
    expect: [{ type: 'publish-bundle', segments: called(segment, segment) }],
  },
  {
    name: 'a Secret from an archive: what callers use is kept before anything is published, and is not the oldest',
    at: 60 * DAY,
    secret: { ...calm, authorities: [next, old], leaf: lateOldLeaf, segments: [segment] },
    live: using([otherSegment, undefined], [next, old]),
    serving: lateOldLeaf,
    expect: [
      { type: 'adopt-segments', segments: [otherSegment, segment] },
      { type: 'create-authority', keepSegments: [otherSegment, segment] },
    ],
  },
  {
    name: 'an emptied Secret: a new authority brings a segment, and the one that callers use stays',
    at: DAY,
    secret: { ...empty, segments: [] },
    live: live([old]),
    serving: oldLeaf,
    expect: [{ type: 'create-authority', keepSegments: [segment] }, { type: 'adopt-authorities' }],
  },
  {
    name: 'no secret of what entries call is known: a new one is made with a new authority, and what they call is kept',
    at: DAY,
    secret: { ...calm, segments: [] },
    live: using([undefined, lone], [old]),
    serving: oldLeaf,
    expect: [
      { type: 'create-authority', keepSegments: [lone] },
      { type: 'adopt-segments', segments: [lone] },
    ],
  },
  {
    name: 'the Secret has segments of entries alone: a secret is made',
    at: DAY,
    secret: { ...calm, segments: [lone] },
    live: using([undefined, lone], [old]),
    serving: oldLeaf,
    expect: [{ type: 'create-authority', keepSegments: [lone] }],
  },
  {
    name: 'an entry keeps its own segment, and others get one of the secret',
    at: 60 * DAY,
    secret: { ...published, segments: [lone, segment] },
    live: using([undefined, lone], [next, old]),
    since: 60 * DAY,
    serving: lateOldLeaf,
    expect: [{ type: 'publish-bundle', segments: { ...called(segment, segment), report: '2'.repeat(32) } }],
  },
  {
    name: 'a segment of an entry alone is replaced by one of the secret, whichever comes first',
    at: later,
    secret: { ...alone, segments: [lone, segment] },
    live: using([segment, lone], [next]),
    serving: alone.leaf,
    expect: [{ type: 'publish-bundle', segments: called(segment, segment) }],
  },
  {
    name: 'and then let go of',
    at: later + MINUTE,
    since: later,
    secret: { ...alone, segments: [lone, segment] },
    live: live([next]),
    serving: alone.leaf,
    expect: [{ type: 'drop-segments', segments: [segment] }],
  },
  {
    name: 'a new authority is published, its segment is not yet: a replica may not know it',
    at: 60 * DAY,
    secret: { ...published, segments: [otherSegment, segment] },
    live: live([old]),
    serving: lateOldLeaf,
    expect: [{ type: 'publish-bundle', bundle: [next, old], segments: called(segment, segment) }],
  },
  {
    name: 'a path that was lost in the meantime gets the oldest segment, which every replica knows',
    at: 60 * DAY,
    secret: { ...published, segments: [otherSegment, segment] },
    live: using([otherSegment, undefined], [next, old]),
    since: 60 * DAY,
    serving: lateOldLeaf,
    expect: [{ type: 'publish-bundle', segments: called(otherSegment, segment) }],
  },
  {
    name: 'nothing changes while a certificate of the old authority may live',
    at: 88 * DAY,
    secret: { ...changed, leaf: leaf('renewed', next, 80 * DAY), segments: [otherSegment, segment] },
    live: live([next, old]),
    serving: leaf('renewed', next, 80 * DAY),
    expect: [],
  },
  {
    name: 'the segment is published together with the caBundle that the old authority has left',
    at: later,
    secret: { ...alone, segments: [otherSegment, segment] },
    live: live([next, old]),
    serving: alone.leaf,
    expect: [{ type: 'publish-bundle', bundle: [next], segments: called(otherSegment, otherSegment) }],
  },
  {
    name: 'published, not settled: API servers may still use the old segment',
    at: later + MINUTE - 1,
    since: later,
    secret: { ...alone, segments: [otherSegment, segment] },
    live: using([otherSegment, otherSegment], [next]),
    serving: alone.leaf,
    expect: [],
    wakeAt: start + later + MINUTE,
  },
  {
    name: 'published in one of two configurations only',
    at: later + MINUTE,
    since: later,
    secret: { ...alone, segments: [otherSegment, segment] },
    live: [...using([otherSegment, otherSegment], [next]), { ...live([next])[0]!, id: 'configuration 1' }],
    serving: alone.leaf,
    expect: [{ type: 'publish-bundle', configuration: 'configuration 1' }],
  },
  {
    name: 'published and settled: the old segment goes',
    at: later + MINUTE,
    since: later,
    secret: { ...alone, segments: [otherSegment, segment] },
    live: using([otherSegment, otherSegment], [next]),
    serving: alone.leaf,
    expect: [{ type: 'drop-segments', segments: [otherSegment] }],
  },
]

void t.test('what to do next about path segments', async (t) => {
  expectPlans(t, segmentCases)
})

void t.test('ready or not', async (t) => {
  const cases: [string, Parameters<typeof readiness>[0], number, RegExp | undefined][] = [
    ['nothing yet', { configurations: live([old]) }, 0, /^no certificate is served yet$/],
    ['nothing, and why', { configurations: [], trouble: new Error('403') }, 0, /no certificate is served yet: 403/],
    ['trusted by all', { configurations: live([old], [next, old]), serving: oldLeaf }, 0, undefined],
    ['ended', { configurations: live([old]), serving: oldLeaf }, 30 * DAY, /not valid now/],
    ['no configuration', { configurations: [], serving: oldLeaf }, 0, /no webhook configuration/],
    [
      'not trusted by one',
      { configurations: live([old], [next]), serving: oldLeaf },
      0,
      /the caBundle of configuration 1 does not contain/,
    ],
    ['a path without a segment', { configurations: using([segment, undefined], [old]), serving: oldLeaf }, 0, /a path in configuration 0 has no segment yet/], // prettier-ignore
  ]
  for (const [name, state, at, reason] of cases) {
    const answer = readiness(state, start + at)
    t.equal(answer.ready, reason === undefined, name)
    if (reason) t.match(answer.reason, reason, name)
  }
})
