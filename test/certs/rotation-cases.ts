/** What a replica observes at a certain time, and what it is expected to do next. */
import { type Test } from 'tap'
import { BACKDATE_MS } from '../../certs/authority.ts'
import { plan, type Action, type Observed } from '../../certs/rotation.ts'
import { knowSegments } from '../../certs/segments.ts'
import { observe, type LiveConfiguration } from '../../certs/trust-history.ts'
import type { Authority, Leaf } from '../../certs/x509.ts'

export const MINUTE = 60_000
export const DAY = 24 * 60 * MINUTE
const lifetimes = { authorityMs: 90 * DAY, leafMs: 30 * DAY, propagationMs: MINUTE }

/** The day on which the old authority and its certificate were made; times below are counted from it. */
export const start = Date.parse('2030-01-01T00:00:00Z')

export const authority = (id: string, madeAt = 0, life = lifetimes.authorityMs): Authority => ({
  id,
  pem: id,
  notBefore: start + madeAt - BACKDATE_MS,
  notAfter: start + madeAt + life,
})

export const leaf = (id: string, issuer: Authority, madeAt = 0): Leaf => ({
  ...authority(id, madeAt, lifetimes.leafMs),
  key: `key of ${id}`,
  authority: issuer.id,
})

export const old = authority('old')
export const next = authority('next', 60 * DAY)
export const oldLeaf = leaf('old leaf', old)
export const lateOldLeaf = leaf('late old leaf', old, 59 * DAY)
export const nextLeaf = leaf('next leaf', next, 60 * DAY + 2 * MINUTE)

/** What paths begin with, unless a case says otherwise. */
export const segment = '0'.repeat(32)

const signer = (of: Authority) => ({ authority: of, key: `key of ${of.id}` })

export const record = (of: Authority, leavesUntil: number) => ({
  [of.id]: { leavesUntil: start + leavesUntil, notAfter: of.notAfter },
})

export const live = (...bundles: Authority[][]): LiveConfiguration[] =>
  bundles.map((authorities, number) => ({
    id: `configuration ${number}`,
    uid: 'uid',
    generation: 1,
    webhooks: [
      { name: 'enabled', authorities, segment, path: '/enabled' },
      { name: 'report', authorities, segment, path: '/report' },
    ],
  }))

export interface Case {
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

export const empty = { authorities: [], segments: [segment], records: {} }
export const calm = { authorities: [old], signer: signer(old), leaf: oldLeaf, records: record(old, 30 * DAY) }
export const published = {
  authorities: [next, old],
  signer: signer(next),
  leaf: lateOldLeaf,
  records: record(old, 89 * DAY),
}
export const changed = {
  ...published,
  leaf: nextLeaf,
  records: { ...record(old, 89 * DAY), ...record(next, 90 * DAY) },
}

export function expectPlans(t: Test, cases: readonly Case[]): void {
  for (const { name, at, secret, live = [], since = -30 * DAY, serving, expect, wakeAt } of cases) {
    const history = observe(new Map(), live, start + since)
    const state = secret && { ...empty, ...secret }
    const known = knowSegments(
      new Map(),
      { secret: state, configurations: live },
      { now: start + at, propagationMs: lifetimes.propagationMs },
    )
    const planned = plan({ secret: state, configurations: live, history, known, serving }, start + at, lifetimes)
    t.strictSame(
      planned.actions.map(({ type }) => type),
      expect.map(({ type }) => type),
      name,
    )
    t.match(planned.actions, expect, name)
    if (wakeAt !== undefined) t.equal(planned.wakeAt, wakeAt, `${name}: when to look again`)
  }
}

export const using = (segments: (string | undefined)[], ...bundles: Authority[][]): LiveConfiguration[] =>
  live(...bundles).map((one) => ({
    ...one,
    webhooks: one.webhooks.map((webhook, index) => ({ ...webhook, segment: segments[index] })),
  }))
