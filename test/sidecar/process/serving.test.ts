import { statSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'
import { isReady, read } from '../../support/sidecar-bundle.ts'
import { app, get, quick, sidecarFixture, three } from '../../support/sidecar-fixture.ts'
import { until } from '../../support/until.ts'

void t.test('process: the bundled sidecar signs in, fetches, serves and rotates', async (t) => {
  const { url, told } = await app(t)
  const fixture = await sidecarFixture(t, three, { ...quick, notify: { url, splay: 0 } })
  const sidecar = fixture.start()
  await isReady(sidecar)
  t.strictSame(
    three.map((name) => read(fixture.mount, name)),
    ['db-user-1', 'db-password-1', 'api-key-1'],
  )
  t.equal(statSync(join(fixture.mount, 'api-key')).mode & 0o777, 0o444)

  fixture.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('switched', () => read(fixture.mount, 'api-key') === 'api-key-2')
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

void t.test('rotation: a quiet poll costs a LIST for each 25 secrets of the vault', async (t) => {
  const names = Array.from({ length: 60 }, (_, index) => `secret-${index}`)
  const fixture = await sidecarFixture(t, names.slice(0, 10), { ...quick, pollInterval: 500 })
  const vault = fixture.emulator.vault('my-kv')
  for (const name of three) vault.delete('secrets', name)
  for (const name of names) vault.setSecret(name, name)
  const sidecar = fixture.start()
  await isReady(sidecar)
  const counts = async () => {
    const { text } = await get(`${sidecar.url}/metrics`)
    const polls = Number(/^akv_injector_sidecar_polls_total\{.*outcome="success".*\} (\d+)$/m.exec(text)?.[1])
    const { 'secrets.list': lists = 0, 'secrets.get': gets = 0 } = fixture.emulator.journal.counts('my-kv')
    return { polls, lists, gets }
  }
  // In its first seconds a version may be changed without a new time, so it is read again by each poll. Counted from any moment after
  // that, until all are counted between two polls.
  let first = await counts()
  await until('three LISTs and no GET for each of several polls', async () => {
    const now = await counts()
    const polls = now.polls - first.polls
    const isQuiet = now.gets === first.gets
    if (polls > 6 || !isQuiet) first = now
    return isQuiet && polls >= 3 && now.lists - first.lists === 3 * polls
  })
  t.ok(first.gets >= 10, 'each object was read')
})

void t.test('process: a running sidecar follows its live annotations', async (t) => {
  const fixture = await sidecarFixture(t, three, { ...quick, pollInterval: 3_600_000 })
  const sidecar = fixture.start()
  await isReady(sidecar)
  fixture.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  fixture.annotate({ refresh: '1' })
  const asked = performance.now()
  await until('refreshed', () => read(fixture.mount, 'api-key') === 'api-key-2')
  t.ok(performance.now() - asked < 2_500, `${Math.round(performance.now() - asked)} ms after the annotation`)
  fixture.annotate({ 'poll-interval': '100ms', 'log-level': 'debug' })
  fixture.emulator.vault('my-kv').setSecret('api-key', 'api-key-3')
  await until('polled', () => read(fixture.mount, 'api-key') === 'api-key-3')
  t.match(
    sidecar.log().findLast(({ event }) => event === 'live'),
    { pollInterval: 100, logLevel: 'debug' },
  )
})

void t.test('restart: the set in the volume is served at once, whatever the vault does', async (t) => {
  const fixture = await sidecarFixture(t)
  const first = fixture.start()
  await isReady(first)
  await first.stop('SIGKILL')
  await fixture.emulator.offline()
  const second = fixture.start()
  await isReady(second)
  const { text } = await get(`${second.url}/status`)
  t.match(JSON.parse(text), { ready: true, stale: true })
  await fixture.emulator.online()
  fixture.emulator.vault('my-kv').setSecret('api-key', 'api-key-2')
  await until('up to date', () => read(fixture.mount, 'api-key') === 'api-key-2')
  await until(
    'no longer stale',
    async () => (JSON.parse((await get(`${second.url}/status`)).text) as { stale: boolean }).stale === false,
  )
})

void t.test('role once: the process ends after its first set', async (t) => {
  const fixture = await sidecarFixture(t)
  const sidecar = fixture.start({ args: ['once'] })
  t.strictSame(await sidecar.exited, { code: 0, signal: null })
  t.equal(read(fixture.mount, 'api-key'), 'api-key-1')
})

void t.test('process: SIGTERM ends a sidecar that waits for its first set at once, as a failure', async (t) => {
  const fixture = await sidecarFixture(t)
  fixture.emulator.fault({ fault: { kind: 'hang' } })
  const sidecar = fixture.start()
  await until('listening', () =>
    get(`${sidecar.url}/livez`).then(
      ({ status }) => status === 200,
      () => false,
    ),
  )
  const told = performance.now()
  sidecar.process.kill('SIGTERM')
  t.strictSame(await sidecar.exited, { code: 1, signal: null })
  t.ok(performance.now() - told < 1_000)
})

void t.test('host network: probes and status go over a unix socket', async (t) => {
  const fixture = await sidecarFixture(t)
  const { port: _, ...settings } = fixture.settings
  const sidecar = fixture.start({ settings })
  const probe = async (kind: string) => {
    const one = fixture.start({ program: 'probe', args: [kind] })
    return { ...(await one.exited), text: one.output() }
  }
  await until('ready', async () => (await probe('startup')).code === 0)
  t.match(await probe('live'), { code: 0, text: 'ok\n' })
  t.match(await probe('nonsense'), { code: 1, text: /expected startup or live/ })
  await sidecar.stop()
  t.match(await probe('live'), { code: 1, text: /ECONNREFUSED|ENOENT/ })
})
