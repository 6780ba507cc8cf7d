import t from 'tap'
import { realClock, startTimer, wait } from '../../shared/clock.ts'

const day = 24 * 60 * 60_000

void t.test('timers: a duration of more than 24.8 days does not end at once', async (t) => {
  const { mock } = await import('node:test')
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const fired: string[] = []
  startTimer(realClock, 100 * day, () => fired.push('100 days'))
  startTimer(realClock, day, () => fired.push('1 day'))
  const cancel = startTimer(realClock, 60 * day, () => fired.push('cancelled'))
  const tick = async (milliseconds: number) => {
    mock.timers.tick(milliseconds)
    for (let turns = 0; turns < 10; turns++) await Promise.resolve()
  }
  await tick(1)
  t.strictSame(fired, [])
  await tick(day)
  t.strictSame(fired, ['1 day'])
  for (let days = 1; days < 50; days++) await tick(day)
  cancel()
  for (let days = 50; days < 99; days++) await tick(day)
  t.strictSame(fired, ['1 day'])
  // A timer that starts within a tick counts from the end of the tick.
  for (let days = 0; days < 6; days++) await tick(day)
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
