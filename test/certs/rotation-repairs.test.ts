import t from 'tap'
import {
  type Case,
  DAY,
  MINUTE,
  authority,
  calm,
  changed,
  empty,
  expectPlans,
  leaf,
  live,
  next,
  old,
  oldLeaf,
} from './rotation-cases.ts'

const foreign = authority('foreign', -DAY)

/** Something was lost, has ended, or was changed by someone else. */
const repairs: Case[] = [
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
    name: 'an emptied Secret and wiped caBundles: what no caller trusts is not kept',
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
    expect: [{ type: 'issue-leaf', reason: 'the Secret has none for the Services' }],
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

void t.test('rotation: what was lost, has expired or was changed by someone else is repaired', async (t) => {
  expectPlans(t, repairs)
})
