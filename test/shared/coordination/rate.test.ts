import t from 'tap'
import { createBucket } from '../../../shared/coordination/rate.ts'
import { VirtualClock } from '../../support/clock.ts'

void t.test('bucket: gives its capacity at once, and then one in each period', async (t) => {
  const clock = new VirtualClock()
  const bucket = createBucket({ capacity: 3, refillMs: () => 1_000, clock })
  t.strictSame([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [true, true, true, false])
  t.equal(bucket.waitMs(), 1_000)
  await clock.advance(999, async () => undefined)
  t.notOk(bucket.take())
  await clock.advance(1, async () => undefined)
  t.ok(bucket.take())
  await clock.advance(3_600_000, async () => undefined)
  t.strictSame([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [true, true, true, false], 'never more')
})
