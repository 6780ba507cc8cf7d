import t from 'tap'
import { isReady, read } from '../../support/sidecar-bundle.ts'
import { app, get, quick, sidecarFixture } from '../../support/sidecar-fixture.ts'
import { until } from '../../support/until.ts'

void t.test('process: the bundled sidecar keeps the old set until it has its turn', async (t) => {
  const { url, told } = await app(t)
  const turns = { maxUnavailable: { count: 1 }, minReady: 100, timeout: 600_000 }
  // Nothing listens there.
  const coordinator = { url: 'https://127.0.0.1:1', coverageAge: 60_000, reconnect: 100, turns }
  const fixture = await sidecarFixture(t, ['api-key'], { ...quick, notify: { url, splay: 0 }, coordinator })
  const sidecar = fixture.start()
  await isReady(sidecar)
  const turn = async () => (JSON.parse((await get(`${sidecar.url}/status`)).text) as { turn: { state: string } }).turn
  t.match(await turn(), { state: 'none', halts: [] })
  fixture.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('a set waits', async () => (await turn()).state === 'waiting')
  t.match(await turn(), { reason: 'no session with the coordinator' })
  t.equal(read(fixture.mount, 'api-key'), 'api-key-1')
  t.strictSame(told, [])
  t.match((await get(`${sidecar.url}/metrics`)).text, /turn_waiting_seconds [\d.]+\n/)
  t.notMatch(sidecar.output(), /api-key-\d/, 'no value is printed')
  sidecar.process.kill('SIGTERM')
  t.strictSame(await sidecar.exited, { code: 0, signal: null })
})
