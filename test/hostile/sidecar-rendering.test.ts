import t from 'tap'
import { initialValues, interpretLive } from '../../sidecar/live/annotations.ts'
import { renderingTimes } from './rendering-input.ts'

/*
 * Whatever a vault holds and a template makes of it, the sidecar goes on to answer probes and to poll other vaults. The measure is a
 * calm run, a vault's largest secrets in every format: its longest block of the event loop, ten times of which any other input may
 * take, in the same process and in time of this thread. That is about a tenth of a second, a tenth of what the kubelet waits for a probe.
 */
const mostTimes = 10

t.setTimeout(120_000)

void t.test('hostile values: no secret and no template blocks the sidecar', { timeout: 120_000 }, async (t) => {
  const others = await renderingTimes(t, mostTimes)
  const calm = others.pop()
  t.match(calm, { name: 'calm', said: [] }, 'the calm run is rendered')
  const usual = calm?.time ?? 0
  t.comment(`the calm run: ${usual.toFixed(1)} ms`)
  t.ok(others.length > 30)
  for (const { name, said, says, time } of others) {
    if (says !== undefined) t.match(said?.join('\n'), new RegExp(says), name)
    t.ok(time <= mostTimes * usual, `${name}: ${time.toFixed(1)} ms`)
  }
})

const repeated = (text: string, length: number): string => text.repeat(length / text.length)

void t.test('hostile annotations: a wrong live annotation is reported in a short message', (t) => {
  const bounds = { pollInterval: { min: 1000, max: 100_000 } }
  const defaults = { pollInterval: 60_000, logLevel: 'info', bounds } as const
  const long = repeated('x', 250_000)
  const texts = { refresh: long, suspend: long, 'poll-interval': `${long}s`, 'log-level': long }
  const { problems } = interpretLive(texts, initialValues(defaults), defaults)
  t.equal(problems.length, 3)
  for (const problem of problems) t.ok(problem.length < 300)
  t.end()
})
