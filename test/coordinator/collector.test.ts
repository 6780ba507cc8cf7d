import t from 'tap'
import { createCollector } from '../../coordinator/collector.ts'
import { maxSources } from '../../shared/coordination/limits.ts'

const line = (number: number, part: number, parts: number, objects: readonly number[] = []) => ({
  ...{ number, part, parts, objects },
})

void t.test('collector: the lines of one number make a whole, in their order', async (t) => {
  const collect = createCollector<number>()
  t.equal(collect(line(1, 0, 2, [1])), 'more')
  t.strictSame(collect(line(1, 1, 2, [2])), [1, 2])
  t.equal(collect(line(2, 0, 2, [3])), 'more')
  t.strictSame(collect(line(3, 0, 1, [4])), [4], 'a later number starts again')
  t.equal(collect(line(3, 0, 1)), 'malformed', 'a number that was there')
  t.equal(collect(line(4, 1, 2)), 'malformed', 'no first line')
})

void t.test('collector: there is a bound on the objects of all lines together', async (t) => {
  const collect = createCollector<number>()
  const half = Array.from({ length: maxSources / 2 }, (_, index) => index)
  t.equal(collect(line(1, 0, 3, half)), 'more')
  t.equal(collect(line(1, 1, 3, half)), 'more')
  t.equal(collect(line(1, 2, 3, [0])), 'malformed')
})
