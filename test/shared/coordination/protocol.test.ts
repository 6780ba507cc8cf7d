import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createEventReader, formatEvent, type StreamEvent } from '../../../shared/coordination/event-stream.ts'
import { encodeEvent, parseEvent, type CoordinatorEvent } from '../../../shared/coordination/events.ts'
import {
  longestEvent,
  longestLine,
  maxParts,
  maxSources,
  reportedProblems,
} from '../../../shared/coordination/limits.ts'
import { createLineReader } from '../../../shared/coordination/lines.ts'
import { notifiedCodes, stateLines, type ObjectState, type PodState } from '../../../shared/coordination/pod-state.ts'
import { parseReport, snapshotLines, formatReport, type ServedObject } from '../../../shared/coordination/reports.ts'

const vault = fc.constantFrom('https://my-kv.vault.azure.net', `https://${'k'.repeat(24)}.vault.usgovcloudapi.net:8443`)
const object = fc.record({
  vault,
  type: fc.constantFrom('secret' as const, 'key' as const, 'cert' as const),
  name: fc.stringMatching(/^[0-9a-z-]{1,127}$/),
})
const version = fc.stringMatching(/^[0-9a-f]{32}$/)
const served: fc.Arbitrary<ServedObject> = fc.tuple(object, version).map(([one, id]) => ({ ...one, version: id }))
const count = fc.nat()
const event: fc.Arbitrary<CoordinatorEvent> = fc.oneof(
  fc.constant({ name: 'welcome' as const }),
  fc.string().map((caCertificates) => ({ name: 'welcome' as const, caCertificates })),
  fc.record({
    name: fc.constant('heartbeat' as const),
    number: count,
    snapshot: count,
    looks: fc.array(fc.tuple(object, count).map(([one, ageMs]) => ({ vault: one.vault, type: one.type, ageMs }))),
  }),
  fc.record({
    name: fc.constant('coverage' as const),
    snapshot: count,
    isCovered: fc.boolean(),
    objects: fc.array(object),
    reason: fc.string({ maxLength: 300 }),
  }),
  fc.record({
    name: fc.constant('change' as const),
    spreadMs: count,
    changes: fc.array(
      fc.oneof(
        object,
        fc.tuple(object, version, count).map(([one, id, created]) => ({ ...one, version: id, created })),
      ),
    ),
  }),
  fc.record({ name: fc.constant('goodbye' as const), retryAfterMs: count }),
)

/** Compares what is left of values in JSON: objects of fast-check may have no prototype. */
const same = (one: unknown, other: unknown): void =>
  deepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)))

/** Cuts a text into chunks of random sizes. */
const cut = (text: string, sizes: readonly number[]): Uint8Array[] => {
  const bytes = Buffer.from(text)
  const chunks: Uint8Array[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}
const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 10 })

const readAll = (text: string, cuts: readonly number[]): StreamEvent[] => {
  const read = createEventReader()
  return cut(text, cuts).flatMap((chunk) => {
    const events = read(chunk)
    if (!events.ok) throw new Error(events.problems[0])
    return events.value
  })
}

void t.test('protocol: every event is read as it was written, however the stream is cut', async () => {
  fc.assert(
    fc.property(fc.array(event), sizes, (events, cuts) => {
      const text = events.map((one) => formatEvent(...encodeEvent(one))).join('')
      const read = readAll(text, cuts).map(({ name, data }) => parseEvent(name, data))
      same(
        read,
        events.map((one) => ({ event: one })),
      )
    }),
    { numRuns: 300 },
  )
})

void t.test('protocol: every snapshot is read as it was written, in lines that are short enough', async (t) => {
  fc.assert(
    fc.property(fc.array(served, { maxLength: 100 }), count, sizes, (objects, number, cuts) => {
      const lines = snapshotLines(number, objects)
      const reader = createLineReader(longestLine)
      const read = cut(lines.join(''), cuts).flatMap((chunk) => {
        const result = reader(chunk)
        if (!result.ok) throw new Error(result.problems[0])
        return result.value.map(parseReport)
      })
      same(
        read.flatMap((one) => (typeof one === 'object' && one.report.type === 'snapshot' ? one.report.objects : [])),
        objects,
      )
      deepStrictEqual(
        lines.filter((line) => line.length > longestLine),
        [],
      )
    }),
    { numRuns: 200 },
  )
  const longest: ServedObject = {
    vault: `https://${'v'.repeat(253)}:65535`,
    type: 'secret',
    name: 'n'.repeat(127),
    version: 'e'.repeat(64),
  }
  const lines = snapshotLines(
    Number.MAX_SAFE_INTEGER,
    Array.from({ length: maxSources + 1 }, () => longest),
  )
  t.ok(Math.max(...lines.map((line) => line.length)) <= longestLine, 'the longest objects fit')
  t.ok(lines.length <= maxParts)
  t.ok(lines.every((line) => typeof parseReport(line) === 'object'))
})

const code = fc.stringMatching(/^[a-z][a-z-]{0,31}$/)
const objectState: fc.Arbitrary<ObjectState> = fc
  .tuple(
    object,
    fc.record(
      {
        ...{ version, readAt: count, isPinned: fc.boolean(), notified: fc.constantFrom(...notifiedCodes) },
        problem: fc.record({ kind: code, message: fc.stringMatching(/^[ -~]{0,300}$/) }, { requiredKeys: ['kind'] }),
      },
      { requiredKeys: ['isPinned', 'notified'] },
    ),
  )
  .map(([one, rest]) => ({ ...one, ...rest }))
const owner = fc.record({
  apiVersion: fc.constantFrom('apps/v1', 'v1', 'argoproj.io/v1alpha1'),
  kind: fc.constantFrom('ReplicaSet', 'Job'),
  name: fc.constantFrom('web-5d9c7', 'a', 'a.b'),
  uid: fc.uuid(),
})
const podState: fc.Arbitrary<PodState> = fc.record(
  {
    owner,
    ...{ isServing: fc.boolean(), isSuspended: fc.boolean(), outcome: code, permission: code },
    objects: fc.array(objectState, { maxLength: reportedProblems }),
  },
  { requiredKeys: ['isServing', 'isSuspended', 'objects'] },
)

/** Reads the lines of a state. */
const readState = (lines: readonly string[]) =>
  lines.map((line) => {
    const parsed = parseReport(line.trim())
    if (typeof parsed !== 'object' || parsed.report.type !== 'state') throw new Error(`not a state: ${line}`)
    return parsed.report
  })

void t.test('protocol: every state is read as it was written, in lines that are short enough', async (t) => {
  fc.assert(
    fc.property(podState, count, (state, number) => {
      const read = readState(stateLines(number, state))
      const { objects: _, ...pod } = state
      for (const part of read) same(part, { ...part, ...pod, type: 'state', number, parts: read.length })
      same(
        read.flatMap(({ objects }) => objects),
        state.objects,
      )
    }),
    { numRuns: 200 },
  )
  const longest: ObjectState = {
    ...{ vault: `https://${'v'.repeat(253)}:65535`, type: 'secret', name: 'n'.repeat(127), version: 'e'.repeat(64) },
    ...{ readAt: Number.MAX_SAFE_INTEGER, isPinned: false, notified: 'variable' },
    problem: { kind: 'k'.repeat(32), message: '\u00e4\u202e'.repeat(1_000) },
  }
  const names = { apiVersion: 'a'.repeat(253), kind: 'K'.repeat(63), name: 'n'.repeat(253), uid: 'u'.repeat(64) }
  const codes = { outcome: 'o'.repeat(32), permission: 'p'.repeat(32), owner: names }
  const objects = Array.from({ length: maxSources + 1 }, () => longest)
  const lines = stateLines(Number.MAX_SAFE_INTEGER, { isServing: false, isSuspended: false, ...codes, objects })
  t.ok(Math.max(...lines.map((line) => Buffer.byteLength(line))) <= longestLine, 'the longest objects fit')
  t.ok(lines.length <= maxParts)
  const read = readState(lines).flatMap((part) => part.objects)
  t.equal(read.length, maxSources, 'objects beyond the bound are left out')
  const messages = read.flatMap(({ problem }) => problem?.message ?? [])
  t.equal(messages.length, reportedProblems, 'so are messages')
  t.notMatch(messages.join(''), /\u202e/, 'what a terminal interprets is escaped')
})

void t.test('protocol: a state that is not one is malformed', async (t) => {
  const line = (fields: object): string =>
    JSON.stringify({
      ...{ type: 'state', number: 1, part: 0, parts: 1, isServing: true, isSuspended: false, objects: [] },
      ...fields,
    })
  const item = ['https://my-kv.vault.azure.net', 'secret', 'a', null, null, false, 'yes', null, null]
  const changed = (index: number, value: unknown) => ({ objects: [item.with(index, value as string)] })
  t.type(parseReport(line({ objects: [item], pod: 'of a later version' })), 'object')
  const wrong: object[] = [
    ...[
      { isServing: 'yes' },
      { isSuspended: 0 },
      { outcome: 'A sentence' },
      { permission: 7 },
      { part: 1 },
      { owner: null },
    ],
    ...[{ owner: { kind: 'Job' } }, { owner: { apiVersion: 'v1', kind: 'Pod', name: '../a', uid: 'x' } }],
    ...[changed(0, 'http://x'), changed(3, 'no version'), changed(4, -1), changed(5, 1), changed(6, 'maybe')],
    ...[changed(7, 'A b'), changed(8, 3), { objects: {} }, { parts: maxParts + 1 }],
    { objects: Array.from({ length: maxSources + 1 }, () => item) },
  ]
  for (const fields of wrong) t.equal(parseReport(line(fields)), 'malformed', JSON.stringify(fields).slice(0, 100))
})

void t.test('protocol: any text is read without an exception', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      createEventReader()(bytes)
      createLineReader(100)(bytes)
    }),
  )
  fc.assert(fc.property(fc.json(), (text) => void parseReport(text)))
  const names = fc.constantFrom(
    'welcome',
    'heartbeat',
    'coverage',
    'change',
    'turn',
    'goodbye',
    '__proto__',
    'constructor',
  )
  fc.assert(fc.property(names, fc.json(), (name, text) => void parseEvent(name, text)))
})

void t.test('protocol: a line and an event that are too long end the reading, in bounded memory', async (t) => {
  const line = createLineReader(longestLine)
  t.ok(line(Buffer.alloc(longestLine, 'x')).ok)
  t.notOk(line(Buffer.from('x\n')).ok)
  t.notOk(line(Buffer.from('short\n')).ok, 'and from then on')
  const endless = createEventReader()
  t.ok(endless(Buffer.from(`data: ${'x'.repeat(longestEvent - 10)}`)).ok)
  t.notOk(endless(Buffer.from('x'.repeat(20))).ok)
  const many = createEventReader()
  t.notOk(many(Buffer.from('data: xxxxxxxxxx\n'.repeat(longestEvent / 10))).ok, 'an event of many lines')
})

void t.test('protocol: what this version does not know is ignored, what cannot be read is not', async (t) => {
  t.equal(parseEvent('turns', 'anything'), 'unknown')
  t.strictSame(parseEvent('goodbye', '{"retryAfterMs":1,"why":"new"}'), { event: { name: 'goodbye', retryAfterMs: 1 } })
  t.equal(parseEvent('goodbye', '{"retryAfterMs":-1}'), 'malformed')
  t.equal(parseEvent('goodbye', '[]'), 'malformed')
  t.equal(parseEvent('change', '{"spreadMs":1,"changes":[["http://x","secret","a",null,null]]}'), 'malformed')
  t.equal(parseReport('{"type":"up"}'), 'unknown')
  t.equal(parseReport('{"type":"__proto__"}'), 'unknown')
  t.equal(parseReport('up'), 'malformed')
  t.equal(parseReport('{"type":"snapshot","number":1,"part":1,"parts":1,"objects":[]}'), 'malformed')
  t.equal(
    parseReport(JSON.stringify({ type: 'snapshot', number: 1, part: 0, parts: maxParts + 1, objects: [] })),
    'malformed',
  )
  t.strictSame(parseReport(formatReport({ type: 'seen', heartbeat: 3 }).trim()), {
    report: { type: 'seen', heartbeat: 3 },
  })
})
