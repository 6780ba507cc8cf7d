import t from 'tap'
import { startTimer, wait } from '../../shared/timer.ts'

const day = 24 * 60 * 60_000

void t.test('timers: a duration of more than 24.8 days does not end at once', async (t) => {
  const { mock } = await import('node:test')
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const fired: string[] = []
  startTimer(() => fired.push('100 days'), 100 * day)
  startTimer(() => fired.push('1 day'), day)
  const cancel = startTimer(() => fired.push('cancelled'), 60 * day)
  mock.timers.tick(1)
  t.strictSame(fired, [])
  mock.timers.tick(day)
  t.strictSame(fired, ['1 day'])
  for (let days = 1; days < 50; days++) mock.timers.tick(day)
  cancel()
  for (let days = 50; days < 99; days++) mock.timers.tick(day)
  t.strictSame(fired, ['1 day'])
  // A timer that starts within a tick counts from the end of the tick.
  for (let days = 0; days < 6; days++) mock.timers.tick(day)
  t.strictSame(fired, ['1 day', '100 days'])
})

void t.test('timers: a wait of any length ends with its signal, and a short one by itself', async (t) => {
  for (const milliseconds of [2 ** 31, 100 * day, Infinity]) {
    const ending = new AbortController()
    let isOver = false
    const waiting = wait(milliseconds, ending.signal)
    const over = () => void (isOver = true)
    waiting.then(over, over)
    await wait(20)
    t.notOk(isOver, `${milliseconds} ms`)
    ending.abort()
    await t.rejects(waiting, { name: 'AbortError' }, `${milliseconds} ms`)
  }
})
