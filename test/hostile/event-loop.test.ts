import t from 'tap'
import { measure } from './measured.ts'

/*
 * How long one review keeps all others, and the probes, from being answered: whatever tenants write, at most ten times as long as the
 * largest pod in `golden/` does, in time of this thread, both when the engine has compiled what they run. BLOCK_ROUNDS says how many
 * inputs of random size each shape is tried with, BLOCK_SEED replays a run.
 */
const rounds = process.env['BLOCK_ROUNDS'] ?? '1'
const seed = process.env['BLOCK_SEED'] ?? `${Date.now() % 2 ** 32}`
const mostTimes = 10

t.setTimeout(600_000)

void t.test('event loop: no text of a tenant blocks it', { timeout: 600_000 }, async (t) => {
  t.comment(`BLOCK_SEED=${seed} BLOCK_ROUNDS=${rounds}`)
  Object.assign(process.env, { BLOCK_SEED: seed, BLOCK_ROUNDS: rounds })
  const others = await measure('event-loop-times.ts', mostTimes)
  const golden = others.pop()
  const bound = mostTimes * (golden?.time ?? 0)
  t.comment(`the largest golden pod: ${golden?.time.toFixed(1)} ms`)
  t.ok(others.length > 50)
  others.sort((one, other) => other.time - one.time)
  for (const { name, time } of others)
    if (time > bound) t.fail(`BLOCK_SEED=${seed} ${name} takes ${time.toFixed(1)} ms`)
  t.comment(
    others
      .slice(0, 5)
      .map(({ name, time }) => `${name} ${time.toFixed(1)} ms`)
      .join(', '),
  )
})
