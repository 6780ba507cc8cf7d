import fc from 'fast-check'
import t from 'tap'
import { formatDuration, parseDuration } from '../../shared/duration.ts'
import { fail, ok } from '../../shared/result.ts'

const right: [text: string, milliseconds: number][] = [
  ['0', 0],
  ['0s', 0],
  ['30s', 30_000],
  ['2m', 120_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1500],
  ['500ms', 500],
  ['1m1m', 120_000],
  ['0.4ms', 0],
  ['100h', 360_000_000],
]
for (const [text, milliseconds] of right) {
  void t.test(`durations: ${text} is ${milliseconds} ms`, async (t) =>
    t.strictSame(parseDuration(text), ok(milliseconds)),
  )
}

const expected = 'expected a duration such as 30s, 2m or 1h30m'
for (const text of [
  '',
  '30',
  's',
  '-5s',
  '+5s',
  '5 m',
  '1d',
  '1us',
  '5M',
  '.5s',
  '1.s',
  '1e3s',
  '1h 30m',
  ' 1s',
  '1s\n',
  'two minutes',
]) {
  void t.test(`durations: ${JSON.stringify(text)} is invalid`, async (t) =>
    t.strictSame(parseDuration(text), fail(expected)),
  )
}

void t.test('durations: one that exceeds every clock is rejected', async (t) => {
  t.strictSame(parseDuration(`${'9'.repeat(20)}h`), fail('this duration is too long'))
  t.strictSame(parseDuration(`${'9'.repeat(400)}h`), fail('this duration is too long'))
})

const printed: [milliseconds: number, text: string][] = [
  [0, '0s'],
  [0.4, '0s'],
  [1, '1ms'],
  [90_000, '1m30s'],
  [3_600_000, '1h'],
  [3_661_001, '1h1m1s1ms'],
]
for (const [milliseconds, text] of printed) {
  void t.test(`durations: ${milliseconds} ms is printed as ${text}`, async (t) =>
    t.equal(formatDuration(milliseconds), text),
  )
}

void t.test('durations: what is printed is read back', async () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (milliseconds) => {
      const parsed = parseDuration(formatDuration(milliseconds))
      return parsed.ok && parsed.value === milliseconds
    }),
  )
})

void t.test('durations: any text yields whole milliseconds or a problem', async () => {
  const unit = fc.constantFrom(...'0123456789.hms -e')
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      const parsed = parseDuration(text)
      return parsed.ok ? Number.isSafeInteger(parsed.value) && parsed.value >= 0 : parsed.problems.length === 1
    }),
    { numRuns: 2000 },
  )
})
