import { once } from 'node:events'
import { statSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import t, { type Test } from 'tap'
import { probe } from '../../../sidecar/probe/probe.ts'
import {
  createCachedWriter,
  isLocal,
  maxWaiting,
  openPort,
  startupWaitMs,
  type Pages,
  type Place,
} from '../../../sidecar/report/server.ts'
import { openEarly } from '../../../sidecar/early-port.ts'
import { settingsVariable } from '../../../shared/names.ts'
import { probes } from '../../../webhook/inject/probes.ts'
import { freePort } from '../../support/free-port.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { until } from '../../support/until.ts'

interface Got {
  status: number | undefined
  headers: IncomingHttpHeaders
  text: string
}

const pagesOf = (pages: Partial<Pages> = {}): Pages => ({
  notReady: () => undefined,
  settled: Promise.resolve(),
  metrics: () => 'a 1\n',
  status: () => ({ ready: true }),
  ...pages,
})

async function serving(test: Test, pages: Partial<Pages> = {}, place: Place = { port: 0 }): Promise<number> {
  const server = await openPort(place).serve(pagesOf(pages))
  test.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

async function get(
  port: number,
  path: string,
  { host = '127.0.0.1', headers = {}, method = 'GET' } = {},
): Promise<Got> {
  const asked = request({ host, port, path, method, headers, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage]
  return { status: response.statusCode, headers: response.headers, text: await text(response) }
}

void t.test('server: each page has its status and content', async (t) => {
  let reason: string | undefined = 'waiting'
  const port = await serving(t, { notReady: () => reason })
  t.match(await get(port, '/startupz'), { status: 503, text: 'waiting\n' })
  reason = undefined
  t.match(await get(port, '/startupz'), { status: 200, text: 'ok\n' })
  t.match(await get(port, '/livez'), { status: 200 })
  t.match(await get(port, '/livez?verbose'), { status: 200 })
  t.match(await get(port, '/metrics'), { status: 200, text: 'a 1\n', headers: { 'content-type': /version=0\.0\.4/ } })
  t.match(await get(port, '/status'), { status: 200, text: /"ready": true/ })
  t.match(await get(port, '/'), { status: 404, text: /\/startupz, \/livez, \/metrics, \/status/ })
  t.match(await get(port, '/../status'), { status: 404 })
  t.match(await get(port, '/livez', { method: 'POST' }), { status: 405 })
  t.match(await get(port, '/status', { method: 'HEAD' }), { status: 200, text: '' })
})

void t.test('server: a startup probe is answered at the moment when the pod is ready', async (t) => {
  const first = Promise.withResolvers<void>()
  let reason: string | undefined = 'waiting'
  const port = await serving(t, { notReady: () => reason, settled: first.promise })
  let answered = 0
  const probes = Array.from({ length: maxWaiting }, async () => {
    const got = await get(port, '/startupz')
    answered++
    return got
  })
  // Answered after all of those have arrived, and at once.
  await until('all places are taken', async () => (await get(port, '/startupz')).text === 'waiting\n')
  t.equal(answered, 0, 'the others wait')
  t.match(await get(port, '/livez'), { status: 200 }, 'and keep no other page')
  reason = undefined
  const start = performance.now()
  first.resolve()
  for (const got of await Promise.all(probes)) t.match(got, { status: 200, text: 'ok\n' })
  t.ok(performance.now() - start < startupWaitMs / 2, 'no probe waits for longer')
})

void t.test('server: a startup probe that waits is answered before the kubelet gives up', async (t) => {
  const { startupProbe } = probes(20471)
  const port = await serving(t, { notReady: () => 'waiting', settled: new Promise(() => undefined) })
  const start = performance.now()
  t.match(await get(port, '/startupz'), { status: 503, text: 'waiting\n' })
  const took = performance.now() - start
  t.ok(took >= startupWaitMs - 10 && took < startupProbe.timeoutSeconds * 1000, `${Math.round(took)} ms`)
})

void t.test('server: /status answers only clients inside the pod', async (t) => {
  const port = await serving(t)
  const own = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address
  if (own !== undefined) {
    t.match(
      await get(port, '/status', { host: own }),
      { status: 403, text: /port-forward/ },
      'not on the address of the pod',
    )
    t.match(await get(port, '/livez', { host: own }), { status: 200 })
    t.match(
      await get(port, '/status', { host: own, headers: { host: 'localhost' } }),
      { status: 403 },
      'whatever it claims',
    )
  }
  t.match(
    await get(port, '/status', { headers: { host: `evil.example:${port}` } }),
    { status: 403 },
    'nor for a name that leads to loopback',
  )
  t.match(await get(port, '/status', { headers: { host: `localhost:${port}` } }), { status: 200 })

  const cases: [remote: string | undefined, local: string | undefined, host: string | undefined, expected: boolean][] =
    [
      ['127.0.0.1', '127.0.0.1', 'localhost:20471', true],
      ['::1', '::1', '[::1]:20471', true],
      ['::ffff:127.0.0.1', '::ffff:127.0.0.1', '127.0.0.1', true],
      ['10.0.0.7', '127.0.0.1', 'localhost', false],
      ['127.0.0.6', '10.0.0.7', 'localhost', false],
      ['127.0.0.1', '127.0.0.1', undefined, false],
      ['127.0.0.1', '127.0.0.1', 'localhost.evil.example', false],
      [undefined, undefined, 'localhost', false],
    ]
  for (const [remoteAddress, localAddress, host, expected] of cases) {
    t.equal(
      isLocal({ remoteAddress, localAddress }, host),
      expected,
      `from ${remoteAddress} to ${localAddress} as ${host}`,
    )
  }
})

void t.test('server: a unix socket serves all pages to its owner', async (t) => {
  const folder = temporaryFolder(t)
  const socket = join(folder, 'status.sock')
  t.match(await probe('live', socket), { code: 1, text: /ENOENT/ })
  let reason: string | undefined = 'waiting'
  await serving(t, { notReady: () => reason }, { socket })
  t.equal(statSync(socket).mode & 0o777, 0o600)
  t.strictSame(await probe('live', socket), { code: 0, text: 'ok' })
  t.strictSame(await probe('startup', socket), { code: 1, text: 'waiting' })
  reason = undefined
  t.strictSame(await probe('startup', socket), { code: 0, text: 'ok' })
  t.match(await probe('', socket), { code: 1, text: /expected startup or live/ })
  await serving(t, {}, { socket })
  t.strictSame(await probe('live', socket), { code: 0, text: 'ok' }, 'what a killed process left is no obstacle')
})

void t.test('probe: a sidecar that does not answer fails the probe in time', async (t) => {
  const folder = temporaryFolder(t)
  const { createServer } = await import('node:net')
  const deaf = createServer(() => undefined).listen(join(folder, 's'))
  await once(deaf, 'listening')
  t.teardown(() => deaf.close())
  t.match(await probe('live', join(folder, 's'), 100), { code: 1, text: /abort/i })
})

void t.test('server: it listens before the program is loaded, and requests wait for the pages', async (t) => {
  const port = await freePort()
  const settings = (value: unknown) => ({
    [settingsVariable]: Buffer.from(JSON.stringify(value)).toString('base64url'),
  })
  for (const [role, environment] of [
    ['once', settings({ port })],
    ['run', {}],
    ['run', { [settingsVariable]: '?' }],
    ...[null, {}, { port: '80' }, { port: 0 }, { port: 65_536 }, { port: 1.5 }].map(
      (value) => ['run', settings(value)] as const,
    ),
  ] as const)
    t.equal(openEarly(role, environment), undefined, `${role} ${JSON.stringify(environment)}`)

  const early = openEarly('run', settings({ port }))
  // Only the program's later part knows the pages.
  const asked = [get(port, '/startupz'), get(port, '/metrics')]
  let answered = 0
  for (const one of asked) void one.finally(() => answered++)
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.resetAndDestroy()
  t.equal(answered, 0)
  const server = await early?.serve(pagesOf())
  t.teardown(() => server?.close())
  t.match(await Promise.all(asked), [
    { status: 200, text: 'ok\n' },
    { status: 200, text: 'a 1\n' },
  ])
})

void t.test('server: malformed requests are answered or dropped', async (t) => {
  const port = await serving(t)
  for (const bytes of ['\r\n\r\n\0\0', 'GET /livez HTTP/9.9\r\n\r\n', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`]) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.end(bytes)
    await new Promise((resolve) => socket.resume().on('close', resolve))
  }
  t.match(await get(port, '/livez'), { status: 200 })
})

void t.test('server: a port that is in use is a failure that names it', async (t) => {
  const port = await serving(t)
  await t.rejects(openPort({ port }).serve(pagesOf()), {
    code: 'EADDRINUSE',
  })
})

void t.test(
  'server: costly pages are shared by many requests, for a tenth of their time and 1 s at most',
  async (t) => {
    let [now, cost, writings] = [0, 10, 0]
    const page = createCachedWriter(
      () => {
        now += cost
        return String(++writings)
      },
      () => now,
    )
    t.equal(String(page()), '1')
    now += 89
    t.equal(String(page()), '1')
    now += 1
    t.equal(String(page()), '2')
    cost = 500
    now += 90
    t.equal(String(page()), '3')
    now += 999
    t.equal(String(page()), '3')
    now += 1
    t.equal(String(page()), '4')
  },
)

void t.test('server: a request is bounded, and one with two hosts is not local', async (t) => {
  const port = await serving(t)
  const send = async (request: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.write(request)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return String(answer).split('\r\n', 1)[0] ?? ''
  }
  t.match(await send(`GET /livez HTTP/1.1\r\nx: ${'y'.repeat(8_192)}`), /431/)
  t.match(await send('GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n'), /403/)
  t.match(await send('GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n'), /200/)
  t.match(await send('nonsense\r\n\r\n'), /400/)
})
