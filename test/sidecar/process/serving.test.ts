import { statSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'
import { isReady, read, until } from '../support/bundle.ts'
import { app, get, quick, stageWith, three } from '../support/stages.ts'

void t.test('the bundle signs in, fetches, serves, and switches a rotation in', async (t) => {
  const { url, told } = await app(t)
  const stage = await stageWith(t, three, { ...quick, notify: { url, splay: 0 } })
  const sidecar = stage.start()
  await isReady(sidecar)
  t.strictSame(three.map((name) => read(stage.mount, name)), ['db-user-1', 'db-password-1', 'api-key-1']) // prettier-ignore
  t.equal(statSync(join(stage.mount, 'api-key')).mode & 0o777, 0o444)

  stage.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('switched', () => read(stage.mount, 'api-key') === 'api-key-2')
  await until('told', () => told.length > 0)
  t.match(told, [{ changed: [{ type: 'secret', name: 'api-key', paths: ['api-key'] }] }])

  t.strictSame(await get(`${sidecar.url}/livez`), { status: 200, text: 'ok\n' })
  t.match(await get(`${sidecar.url}/metrics`), { status: 200, text: /switches_total\{outcome="success"\} 2/ })
  const status = await get(`${sidecar.url}/status`)
  t.match(JSON.parse(status.text), { ready: true, stale: false, pod: { name: 'web-0', namespace: 'shop' } })
  t.equal((await get(`${sidecar.url}/nothing`)).status, 404)
  t.notMatch(sidecar.output() + status.text, /(user|password|key)-\d/, 'no value is printed')

  sidecar.process.kill('SIGTERM')
  t.strictSame(await sidecar.exited, { code: 0, signal: null })
})

void t.test('live annotations of the running process', async (t) => {
  const stage = await stageWith(t, three, { ...quick, pollInterval: 3_600_000 })
  const sidecar = stage.start()
  await isReady(sidecar)
  stage.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  stage.annotate({ refresh: '1' })
  const asked = performance.now()
  await until('refreshed', () => read(stage.mount, 'api-key') === 'api-key-2')
  t.ok(performance.now() - asked < 2_500, `${Math.round(performance.now() - asked)} ms after the annotation`)
  stage.annotate({ 'poll-interval': '100ms', 'log-level': 'debug' })
  stage.emulator.vault('my-kv').setSecret('api-key', 'api-key-3')
  await until('polled', () => read(stage.mount, 'api-key') === 'api-key-3')
  t.match(
    sidecar.log().findLast(({ event }) => event === 'live'),
    { pollInterval: 100, logLevel: 'debug' },
  )
})

void t.test('a restart serves the set in the volume at once, whatever the vault does', async (t) => {
  const stage = await stageWith(t)
  const first = stage.start()
  await isReady(first)
  await first.stop('SIGKILL')
  await stage.emulator.offline()
  const second = stage.start()
  await isReady(second)
  const { text } = await get(`${second.url}/status`)
  t.match(JSON.parse(text), { ready: true, stale: true })
  await stage.emulator.online()
  stage.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('up to date', () => read(stage.mount, 'api-key') === 'api-key-2')
  await until('no longer stale', async () => (JSON.parse((await get(`${second.url}/status`)).text) as { stale: boolean }).stale === false) // prettier-ignore
})

void t.test('the role once', async (t) => {
  const stage = await stageWith(t)
  const sidecar = stage.start({ args: ['once'] })
  t.strictSame(await sidecar.exited, { code: 0, signal: null })
  t.equal(read(stage.mount, 'api-key'), 'api-key-1')
})

void t.test('SIGTERM ends a sidecar that still waits for the vault at once, and as a failure', async (t) => {
  const stage = await stageWith(t)
  stage.emulator.fault({ fault: { kind: 'hang' } })
  const sidecar = stage.start()
  await until('listening', () => get(`${sidecar.url}/livez`).then(({ status }) => status === 200, () => false)) // prettier-ignore
  const told = performance.now()
  sidecar.process.kill('SIGTERM')
  t.strictSame(await sidecar.exited, { code: 1, signal: null })
  t.ok(performance.now() - told < 1_000)
})

void t.test('on the host network probes and status go over a unix socket', async (t) => {
  const stage = await stageWith(t)
  const { port: _, ...settings } = stage.settings
  const sidecar = stage.start({ settings })
  const probe = async (kind: string) => {
    const one = stage.start({ program: 'probe', args: [kind] })
    return { ...(await one.exited), text: one.output() }
  }
  await until('ready', async () => (await probe('startup')).code === 0)
  t.match(await probe('live'), { code: 0, text: 'ok\n' })
  t.match(await probe('nonsense'), { code: 1, text: /startup and live/ })
  await sidecar.stop()
  t.match(await probe('live'), { code: 1, text: /ECONNREFUSED|ENOENT/ })
})
