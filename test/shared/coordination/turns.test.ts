import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { encodeEvent, parseEvent } from '../../../shared/coordination/events.ts'
import { longestLine, maxHalts, maxTurnVersions } from '../../../shared/coordination/limits.ts'
import { formatReport, parseReport } from '../../../shared/coordination/reports.ts'
import {
  parseTurnState,
  turnAnswers,
  turnPhases,
  turnText,
  versionId,
  type TurnEvent,
  type TurnState,
} from '../../../shared/coordination/turns.ts'

const count = fc.nat()
/** Texts that printing leaves as they are. */
const sentence = fc.string({ maxLength: 200 })
const versionIds = (maxLength: number) => fc.array(fc.stringMatching(/^[\w-]{12}$/), { maxLength })
const halts = fc.array(fc.record({ versions: versionIds(maxTurnVersions / maxHalts), reason: sentence }), {
  maxLength: maxHalts,
})
const turnId = fc.stringMatching(/^[\w-]{1,40}$/)
const turn: fc.Arbitrary<TurnEvent> = fc.oneof(
  fc.record({ members: count, halts }),
  fc.record(
    {
      id: turnId,
      answer: fc.constantFrom(...turnAnswers),
      take: count,
      place: count,
      reason: sentence,
      members: count,
      halts,
    },
    { requiredKeys: ['id', 'answer', 'members', 'halts'] },
  ),
)
const turnState: fc.Arbitrary<TurnState> = fc.record(
  {
    maxUnavailable: fc.oneof(
      fc.integer({ min: 1 }).map((number) => ({ count: number })),
      fc.integer({ min: 1, max: 100 }).map((percent) => ({ percent })),
    ),
    timeoutMs: count,
    isUp: fc.boolean(),
    request: fc.record(
      {
        ...{ id: turnId, versions: versionIds(maxTurnVersions), objects: sentence, take: count, heldMs: count },
        ...{
          phase: fc.constantFrom(...turnPhases),
          isRefresh: fc.boolean(),
          isRepair: fc.constant(true),
          cause: sentence,
        },
      },
      { requiredKeys: ['id', 'versions', 'objects', 'take', 'heldMs', 'phase', 'isRefresh'] },
    ),
    halts,
  },
  { requiredKeys: ['maxUnavailable', 'timeoutMs', 'isUp', 'halts'] },
)

/** Compares what is left of values in JSON: objects of fast-check may have no prototype. */
const same = (one: unknown, other: unknown): void =>
  deepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)))

void t.test('turns: every part is read as it was written', async (t) => {
  fc.assert(
    fc.property(turnState, (state) => {
      same(parseReport(formatReport({ type: 'turn', ...state }).trim()), { report: { type: 'turn', ...state } })
    }),
    { numRuns: 200 },
  )
  fc.assert(
    fc.property(turn, (one) => {
      const [name, data] = encodeEvent({ name: 'turn', ...one })
      same(parseEvent(name, JSON.stringify(data)), { event: { name: 'turn', ...one } })
    }),
    { numRuns: 200 },
  )
  const text = '"\u00e4\u202e\u{1f600}'.repeat(200)
  const versions = Array.from({ length: maxTurnVersions }, (_, index) => `${index}`.padStart(12, '-'))
  const longest: TurnState = {
    ...{ maxUnavailable: { count: Number.MAX_SAFE_INTEGER }, timeoutMs: Number.MAX_SAFE_INTEGER, isUp: false },
    request: {
      ...{ id: 'i'.repeat(40), versions, objects: turnText(text), cause: turnText(text), phase: 'switched' },
      ...{ take: Number.MAX_SAFE_INTEGER, heldMs: Number.MAX_SAFE_INTEGER, isRefresh: false },
    },
    halts: Array.from({ length: maxHalts }, (_, index) => ({
      versions: index === 0 ? versions : [],
      reason: turnText(text),
    })),
  }
  const line = formatReport({ type: 'turn', ...longest })
  t.ok(Buffer.byteLength(line) <= longestLine, `the longest has ${Buffer.byteLength(line)} bytes`)
  t.notMatch(line, /\u202e/, 'what a terminal interprets is escaped')
  t.strictSame(parseReport(line.trim()), { report: { type: 'turn', ...longest } })

  const request = { ...longest.request, versions: ['abcdefghijkl'] }
  const wrong: object[] = [
    ...[{ maxUnavailable: { count: 0 } }, { maxUnavailable: { percent: 101 } }, { maxUnavailable: 1 }],
    ...[{ timeoutMs: -1 }, { isUp: 'yes' }, { halts: {} }, { halts: [7] }, { request: 7 }],
    ...[{ halts: Array.from({ length: maxHalts + 1 }, () => ({ versions: [], reason: '' })) }],
    ...[
      {
        halts: [
          { versions, reason: '' },
          { versions, reason: '' },
        ],
      },
    ],
    ...[{ id: '' }, { id: 'i'.repeat(41) }, { versions: [...versions, 'abcdefghijkl'] }, { versions: ['short'] }]
      .concat([{ phase: 'idle' } as never, { take: -1 } as never, { heldMs: 0.5 } as never, { objects: 7 } as never])
      .map((fields) => ({ request: { ...request, ...fields } })),
  ]
  for (const fields of wrong)
    t.equal(parseTurnState({ ...longest, ...fields }), undefined, JSON.stringify(fields).slice(0, 90))
  t.equal(parseEvent('turn', '{"members":1,"halts":[],"id":"a","answer":"maybe"}'), 'malformed')
  t.equal(parseEvent('turn', '{"members":-1,"halts":[]}'), 'malformed')

  const object = { vault: 'https://my-kv.vault.azure.net', type: 'secret' as const, name: 'db-password' }
  t.match(versionId(object, 'a'.repeat(32)), /^[\w-]{12}$/)
  t.not(versionId(object, 'a'.repeat(32)), versionId(object, 'b'.repeat(32)))
  t.not(versionId(object, 'a'), versionId({ ...object, name: 'db' }, 'a'))
})
