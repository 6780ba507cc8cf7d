import { setImmediate as turn } from 'node:timers/promises'

import t from 'tap'
import { eachAtMost, createQueue } from '../../shared/concurrency.ts'

void t.test('concurrency: at most the given number run at a time, and none start after a stop', async (t) => {
  let running = 0
  let most = 0
  const done: number[] = []
  const task = async (item: number) => {
    most = Math.max(most, ++running)
    await turn()
    running--
    done.push(item)
    return item === 5 ? ('stop' as const) : undefined
  }
  await eachAtMost(3, [0, 1, 2, 3, 4], task)
  t.equal(most, 3)
  t.strictSame(done, [0, 1, 2, 3, 4])
  done.length = 0
  await eachAtMost(1, [4, 5, 6, 7], task)
  t.strictSame(done, [4, 5])
})

void t.test('concurrency: a queue runs its tasks one after the other, also after a failure', async (t) => {
  const exclusively = createQueue()
  const log: string[] = []
  const task = (name: string, fails = false) =>
    exclusively(async () => {
      log.push(`${name} begins`)
      await turn()
      log.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    })
  const results = await Promise.allSettled([task('a'), task('b', true), task('c')])
  t.strictSame(log, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  t.strictSame(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})
