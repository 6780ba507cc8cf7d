import t from 'tap'
import { coordinatorClient } from '../support/coordinator-process.ts'
import { isReady } from '../support/sidecar-bundle.ts'
import { until } from '../support/until.ts'
import { processScene } from './process-scene.ts'

void t.test('coordinator: a write is in the pod within seconds, although it polls every 10 min', async (t) => {
  const { pod, vault, start, serves } = await processScene(t, 600_000)
  const { output } = await start()
  const sidecar = pod.start()
  await isReady(sidecar)
  await until('the session', () => sidecar.log().some((line) => line['event'] === 'coordinator' && line['connected']))
  for (const value of ['a-2', 'a-3']) {
    const began = performance.now()
    vault.setSecret('a', value)
    await serves(value)
    const seconds = (performance.now() - began) / 1000
    t.ok(seconds < 10, `${seconds.toFixed(1)} s`)
  }
  const own = pod.emulator.journal.entries({ client: coordinatorClient })
  t.ok(own.length > 0)
  t.strictSame(
    own.filter(({ operation }) => !/^(token|secrets\.(list|versions))$/.test(operation)),
    [],
    'it reads no value',
  )
  t.match(output(), /coordinator certificate: serving[^]*"event":"listening"/, 'it listens once it has its certificate')
  t.notMatch(output(), /a-[123]/)
})
