import t from 'tap'
import { median, toResult } from './results.ts'
import { table } from './table.ts'

void t.test('bench results: a row is the median of its runs, compared with the floor of the same run', async (t) => {
  const row = toResult({
    id: 'x',
    unit: 'ms',
    samples: [3, 1, 2],
    floor: [1, 4],
    target: { atMost: 2, ratioAtMost: 0.7 },
  })
  t.same(row, {
    ...{ id: 'x', value: 2, unit: 'ms', min: 1, max: 3, floor: 2.5, ratio: 0.8 },
    ...{ target: '<= 2 ms, <= 0.7x floor', met: false },
  })
  t.match(toResult({ id: 'x', unit: 'ms', samples: [1] }), { floor: null, ratio: null, target: null, met: null })
  t.throws(() => median([]))
})

const targets = [
  { name: 'at most, met', target: { atMost: 2 }, met: true },
  { name: 'at most, missed', target: { atMost: 1.9 }, met: false },
  { name: 'at least, met', target: { atLeast: 2 }, met: true },
  { name: 'at least, missed', target: { atLeast: 2.1 }, met: false },
  { name: 'ratio at least, met', target: { ratioAtLeast: 0.5 }, met: true },
  { name: 'ratio at least, missed', target: { ratioAtLeast: 0.6 }, met: false },
  { name: 'above the floor at most, met', target: { aboveFloorAtMost: -2 }, met: true },
  { name: 'above the floor at most, missed', target: { aboveFloorAtMost: -2.1 }, met: false },
  { name: 'one of two missed', target: { atMost: 2, ratioAtMost: 0.4 }, met: false },
]
for (const { name, target, met } of targets) {
  void t.test(`bench results: ${name}`, async (t) => {
    t.equal(toResult({ id: 'x', unit: 'ms', samples: [2], floor: [4], target }).met, met)
  })
}

void t.test('bench results: a ratio target without a floor is not met', async (t) => {
  t.equal(toResult({ id: 'x', unit: 'ms', samples: [2], target: { ratioAtMost: 2 } }).met, false)
  t.equal(toResult({ id: 'x', unit: 'ms', samples: [2], target: { aboveFloorAtMost: 2 } }).met, false)
})

void t.test('bench results: the table marks a change that exceeds the noise', async (t) => {
  const row = (samples: number[]) => toResult({ id: 'x', unit: 'ms', samples })
  const change = (now: number[], before: number[]) =>
    table([row(now)], { results: [row(before)] })
      .split('\n')
      .at(-1)
      ?.split('ms')
      .at(-1)
      ?.trim()
  t.equal(change([10, 11, 12], [20, 22, 24]), '-50.0 %')
  t.equal(change([10, 11, 12], [9, 10, 11]), '+10.0 % (noise)')
  t.match(table([row([1])], { results: [] }), /new$/)
  t.notMatch(table([row([1])]), 'change')
})
