import { createServer } from 'node:http'
import { once } from 'node:events'

import t from 'tap'
import { clientId, until } from '../support/bundle.ts'
import { get, quick, stageWith, terminationOf, three } from '../support/stages.ts'

void t.test('what keeps a pod from starting', async (t) => {
  await t.test('refusals, after 15 s, with everything that fails', { timeout: 60_000 }, async (t) => {
    const stage = await stageWith(t)
    stage.emulator.access.set(clientId, [])
    const sidecar = stage.start()
    const started = performance.now()
    t.match(await sidecar.exited, { code: 1 })
    const seconds = (performance.now() - started) / 1000
    t.ok(seconds > 14 && seconds < 25, `${seconds} s`)
    for (const name of three) t.match(terminationOf(stage), new RegExp(`secret ${name}`))
    t.match(terminationOf(stage), /403/)
    t.match(sidecar.log().at(-1), { level: 'error', event: 'failed', msg: terminationOf(stage) })
  })
  await t.test('an outage, after startup-timeout', async (t) => {
    const stage = await stageWith(t, three, { ...quick, startupTimeout: 3_000 })
    await stage.emulator.offline()
    const sidecar = stage.start()
    await until('listening', () => get(`${sidecar.url}/livez`).then(({ status }) => status === 200, () => false)) // prettier-ignore
    t.match(await get(`${sidecar.url}/startupz`), { status: 503, text: /waiting for the first set/ })
    t.match(await sidecar.exited, { code: 1 })
    t.match(terminationOf(stage), /gave up after 3s/)
  })
  for (const [name, text, reason] of [
    ['no settings', '', /AKV_INJECTOR_SETTINGS: .*not base64url of JSON/],
    ['settings that are none', Buffer.from('{"schema": 2}').toString('base64url'), /AKV_INJECTOR_SETTINGS: .*schema/s],
  ] as const) {
    await t.test(name, async (t) => {
      const stage = await stageWith(t)
      const sidecar = stage.start({ env: { AKV_INJECTOR_SETTINGS: text } })
      t.match(await sidecar.exited, { code: 1 })
      t.match(terminationOf(stage), reason)
    })
  }
  await t.test('a role that is none', async (t) => {
    const stage = await stageWith(t)
    t.match(await stage.start({ args: ['twice'] }).exited, { code: 1 })
    t.match(terminationOf(stage), /"twice" is no role/)
  })
  await t.test('a port that is taken', async (t) => {
    const stage = await stageWith(t)
    const server = createServer().listen(stage.settings.port)
    await once(server, 'listening')
    t.teardown(() => server.close())
    t.match(await stage.start().exited, { code: 1 })
    t.match(terminationOf(stage), /cannot start: listen EADDRINUSE/)
  })
})
