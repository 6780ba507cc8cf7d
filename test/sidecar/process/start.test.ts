import { createServer } from 'node:http'
import { once } from 'node:events'

import t from 'tap'
import { clientId } from '../../support/sidecar-bundle.ts'
import { get, quick, sidecarFixture, terminationOf, three } from '../../support/sidecar-fixture.ts'
import { until } from '../../support/until.ts'

void t.test('process: a start that cannot succeed ends with its reason', async (t) => {
  await t.test(
    'process: refusals end the start after 15 s, with everything that fails',
    { timeout: 60_000 },
    async (t) => {
      const fixture = await sidecarFixture(t)
      fixture.emulator.access.set(clientId, [])
      const sidecar = fixture.start()
      const started = performance.now()
      t.match(await sidecar.exited, { code: 1 })
      const seconds = (performance.now() - started) / 1000
      t.ok(seconds > 14 && seconds < 25, `${seconds} s`)
      for (const name of three) t.match(terminationOf(fixture), new RegExp(`secret ${name}`))
      t.match(terminationOf(fixture), /403/)
      t.match(sidecar.log().at(-1), { level: 'error', event: 'failed', msg: terminationOf(fixture) })
    },
  )
  await t.test('process: an outage ends the start after startup-timeout', async (t) => {
    const fixture = await sidecarFixture(t, three, { ...quick, startupTimeout: 3_000 })
    await fixture.emulator.offline()
    const sidecar = fixture.start()
    await until('listening', () =>
      get(`${sidecar.url}/livez`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    )
    t.match(await get(`${sidecar.url}/startupz`), { status: 503, text: /waiting for the first set/ })
    t.match(await sidecar.exited, { code: 1 })
    t.match(terminationOf(fixture), /gave up after 3s/)
  })
  for (const [name, text, reason] of [
    ['missing settings', '', /AKV_INJECTOR_SETTINGS: .*not base64url of JSON/],
    [
      'settings that do not match the schema',
      Buffer.from('{"schema": 2}').toString('base64url'),
      /AKV_INJECTOR_SETTINGS: .*schema/s,
    ],
  ] as const) {
    await t.test(`process: ${name} are a reason to end`, async (t) => {
      const fixture = await sidecarFixture(t)
      const sidecar = fixture.start({ env: { AKV_INJECTOR_SETTINGS: text } })
      t.match(await sidecar.exited, { code: 1 })
      t.match(terminationOf(fixture), reason)
    })
  }
  await t.test('process: an unknown role is named in the reason', async (t) => {
    const fixture = await sidecarFixture(t)
    t.match(await fixture.start({ args: ['twice'] }).exited, { code: 1 })
    t.match(terminationOf(fixture), /unknown role "twice": expected run or once/)
  })
  await t.test('process: a port that is in use is named in the reason', async (t) => {
    const fixture = await sidecarFixture(t)
    const server = createServer().listen(fixture.settings.port)
    await once(server, 'listening')
    t.teardown(() => server.close())
    t.match(await fixture.start().exited, { code: 1 })
    t.match(terminationOf(fixture), /cannot start: listen EADDRINUSE/)
  })
})
