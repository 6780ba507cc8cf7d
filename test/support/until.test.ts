import t from 'tap'
import { until } from './until.ts'

void t.test('until: returns what the condition returns once it is neither undefined nor false', async (t) => {
  const values = [undefined, false, 0]
  t.equal(await until('a value', () => values.shift(), { intervalMs: 1 }), 0)
  t.equal(await until('a value', () => Promise.resolve('there')), 'there')
})

void t.test('until: names the condition when it times out', async (t) => {
  await t.rejects(
    until('the pod is ready', () => false, { timeoutMs: 5, intervalMs: 1 }),
    { message: 'timed out after 0.005 s: the pod is ready' },
  )
})

void t.test('until: an error ends the wait unless errors are retried', async (t) => {
  let calls = 0
  const failing = (): boolean => {
    if (++calls < 3) throw new Error(`call ${calls}`)
    return true
  }
  await t.rejects(until('it works', failing), { message: 'call 1' })
  t.equal(await until('it works', failing, { intervalMs: 1, retryErrors: true }), true)
  calls = -1e9
  await t.rejects(until('it works', failing, { timeoutMs: 5, intervalMs: 1, retryErrors: true }), {
    message: /^timed out after 0.005 s: it works \(call -\d+\)$/,
  })
})
