import t from 'tap'
import { spreadOf } from '../../../coordinator/watch/spread.ts'
import { createBudget } from '../../../coordinator/watch/budget.ts'
import { VirtualClock } from '../../support/clock.ts'
import { watcherScene } from './scene.ts'

void t.test('spread: a second for what a vault takes at once, then so many requests a second', async (t) => {
  t.equal(spreadOf(0, 300), 1_000)
  t.equal(spreadOf(1_000, 300), 1_000)
  t.equal(spreadOf(10_000, 300), 30_000)
  t.equal(spreadOf(10_000, 150), 60_000)
})

void t.test('spread: also of what the first look finds newer than many sidecars serve', async (t) => {
  const { vault, watcher, advance, object, told } = await watcherScene(t)
  const version = vault.set('a', '1')
  await advance(86_400_000)
  vault.fault = () => ({ kind: 'forbidden' })
  const all = Array.from({ length: 2_500 }, () => told())
  for (const one of all) watcher.update(one, 1, [object('a', version)])
  await advance(1_000)
  vault.set('a', '2')
  vault.fault = () => undefined
  await advance(60_000)
  const spreads = new Set(all.flatMap((one) => one.of('change').map(({ spreadMs }) => spreadMs)))
  t.strictSame([...spreads], [5_000])
  t.ok(all.every((one) => one.of('change').length === 1))
})

void t.test('budget: 40 requests in 10 s, and what was spent beyond it is waited for', async (t) => {
  const clock = new VirtualClock()
  const abort = new AbortController().signal
  const budget = createBudget(clock)
  await budget.ready(abort)
  budget.spend(80)
  let isReady = false
  void budget.ready(abort).then(() => (isReady = true))
  const idle = async (): Promise<void> => void (await new Promise(setImmediate))
  await clock.advance(10_000, idle)
  t.notOk(isReady)
  await clock.advance(1_000, idle)
  t.ok(isReady)
})
