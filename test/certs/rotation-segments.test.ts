import t from 'tap'
import { callSegment } from '../../certs/segments.ts'
import {
  type Case,
  DAY,
  MINUTE,
  calm,
  changed,
  empty,
  expectPlans,
  lateOldLeaf,
  leaf,
  live,
  next,
  old,
  oldLeaf,
  published,
  segment,
  start,
  using,
} from './rotation-cases.ts'

const otherSegment = '1'.repeat(32)

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

void t.test('rotation: path segments are created, published, adopted and dropped in safe steps', async (t) => {
  expectPlans(t, segmentCases)
})
