import t from 'tap'
import type { ReadinessAnswer } from '../../../sidecar/turns/readiness.ts'
import { ReadinessWatch } from '../../../sidecar/turns/readiness-watch.ts'

void t.test('readiness watch: an answer to an earlier probe says nothing about the next process', async (t) => {
  let now = 0
  const asked: PromiseWithResolvers<ReadinessAnswer>[] = []
  const ask = (): Promise<ReadinessAnswer> => {
    const one = Promise.withResolvers<ReadinessAnswer>()
    asked.push(one)
    return one.promise
  }
  const watch = new ReadinessWatch({ ask, period: 1_000, clock: { elapsed: () => now } })
  const answer = async (isReady: boolean, detail: string): Promise<void> => {
    asked.at(-1)?.resolve({ isReady, detail })
    await new Promise(setImmediate)
  }
  watch.check(true)
  now = 500
  watch.reset()
  await answer(true, 'the process before')
  now = 5_000
  t.equal(watch.isReady, false)
  t.equal(watch.detail, 'the app was not asked')
  watch.check(true)
  watch.check(true)
  t.equal(asked.length, 2, 'one at a time')
  await answer(true, 'the next process')
  now += 2_999
  t.equal(watch.isReady, false)
  now += 1
  t.equal(watch.isReady, true)
  watch.check(true)
  await answer(false, 'it failed')
  t.strictSame([watch.isReady, watch.detail], [false, 'it failed'])
  now += 9_999
  watch.check(false)
  t.equal(asked.length, 3, 'not often if nothing depends on it')
  now += 1
  watch.check(false)
  t.equal(asked.length, 4)
  asked.at(-1)?.reject(new Error('broken'))
  await new Promise(setImmediate)
  t.equal(watch.detail, 'broken')
})
