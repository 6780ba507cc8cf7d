import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createPort, type AddressInfo, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { askReadiness, timingOf } from '../../../sidecar/turns/readiness.ts'
import { certificateFolder } from '../../support/server-certificate.ts'

const kubelet = { headers: [], period: 10_000, timeout: 1_000 }

async function listen(t: Test, server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** A server on the loopback address, and what it was asked. */
async function httpServer(t: Test, answer: RequestListener) {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  t.teardown(() => server.closeAllConnections())
  return { port: await listen(t, server), requests }
}

const status =
  (code: number, headers = {}) =>
  (_: IncomingMessage, response: ServerResponse): void =>
    void response.writeHead(code, headers).end()

const address = '127.0.0.1'

void t.test('readiness: httpGet is asked as the kubelet asks', async (t) => {
  const { port, requests } = await httpServer(t, status(204))
  const headers = [
    { name: 'Host', value: 'app.example' },
    { name: 'X-One', value: '1' },
    { name: 'x-one', value: '2' },
  ]
  const probe = { ...kubelet, scheme: 'http', port, path: '/healthz?token=abc', headers } as const
  t.strictSame(await askReadiness(probe, { address }), {
    isReady: true,
    detail: `GET http://:${port}/healthz answered 204`,
  })
  const [request] = requests
  t.match(request, { method: 'GET', url: '/healthz?token=abc' })
  t.match(request?.headers, { host: 'app.example', 'x-one': '1, 2', 'user-agent': /^kube-probe\// })
  t.match(await askReadiness({ ...probe, host: 'localhost' }), { isReady: true, detail: /^GET http:\/\/localhost:/ })
})

void t.test('readiness: the status decides, and redirects are not followed', async (t) => {
  for (const [code, kubeletSays, urlSays] of [
    [200, true, true],
    [299, true, true],
    [302, true, false],
    [399, true, false],
    [400, false, false],
    [503, false, false],
  ] as const) {
    const { port, requests } = await httpServer(t, status(code, { location: '/elsewhere' }))
    const probe = { ...kubelet, scheme: 'http', port, path: '/' } as const
    t.match(await askReadiness(probe, { address }), { isReady: kubeletSays, detail: new RegExp(`answered ${code}$`) })
    const url = `http://127.0.0.1:${port}/ready?key=abc`
    t.strictSame(await askReadiness({ url }), {
      isReady: urlSays,
      detail: `GET http://127.0.0.1:${port}/ready answered ${code}`,
    })
    t.equal(requests.length, 2)
  }
})

void t.test('readiness: what does not answer in time, or not at all, is not ready', async (t) => {
  const { port } = await httpServer(t, () => undefined)
  const probe = { ...kubelet, scheme: 'http', port, path: '/' } as const
  t.match(await askReadiness(probe, { address }), { isReady: false, detail: /did not answer within 1 s$/ })
  const closed = createPort((socket) => socket.destroy())
  const closing = await listen(t, closed)
  t.match(await askReadiness({ ...probe, port: closing }, { address }), { isReady: false, detail: / failed: / })
  t.match(await askReadiness({ ...probe, port: 1 }, { address }), { isReady: false, detail: /failed: ECONNREFUSED$/ })
  const bad = [{ name: 'x', value: 'line\nbreak' }]
  t.match(await askReadiness({ ...probe, headers: bad }, { address }), { isReady: false, detail: / failed: / })
})

void t.test('readiness: an endless body is not read', async (t) => {
  let written = 0
  const closed = Promise.withResolvers<void>()
  const { port } = await httpServer(t, (_, response) => {
    response.on('close', closed.resolve)
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536
    }
    response.on('drain', more)
    response.writeHead(200)
    more()
  })
  const probe = { ...kubelet, timeout: 10_000, scheme: 'http', port, path: '/' } as const
  t.match(await askReadiness(probe, { address }), { isReady: true })
  await closed.promise
  t.ok(written < 64 * 1024 * 1024, `${written} bytes`)
})

void t.test('readiness: a certificate is not verified', async (t) => {
  const { key, cert } = certificateFolder(t)
  const server = createTlsServer({ key, cert }, status(200))
  const port = await listen(t, server)
  const probe = { ...kubelet, scheme: 'https', port, path: '/' } as const
  t.match(await askReadiness(probe, { address }), { isReady: true })
})

void t.test('readiness: a URL must lead to the loopback address', async (t) => {
  t.match(await askReadiness({ url: 'http://192.0.2.1/ready' }), { isReady: false, detail: /not a loopback address$/ })
  const { port } = await httpServer(t, status(200))
  t.match(await askReadiness({ url: `http://localhost:${port}/` }), { isReady: true })
})

void t.test('readiness: a port that accepts connections', async (t) => {
  const port = await listen(t, createPort())
  t.match(await askReadiness({ ...kubelet, tcp: port }, { address }), { isReady: true })
  t.match(await askReadiness({ ...kubelet, tcp: 1 }, { address }), {
    isReady: false,
    detail: 'a connection to :1 failed: ECONNREFUSED',
  })
})

void t.test('readiness: the pod is asked at its own address', async (t) => {
  const server = createServer(status(200))
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, resolve)
  await promise
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  t.match(await askReadiness({ ...kubelet, scheme: 'http', port, path: '/' }), { isReady: true })
})

void t.test('readiness: an app is asked no more than once a second', (t) => {
  t.strictSame(timingOf({ tcp: 80, period: 0, timeout: 0 }), { period: 1_000, timeout: 1_000 })
  t.strictSame(timingOf({ tcp: 80, period: 30_000, timeout: 5_000 }), { period: 30_000, timeout: 5_000 })
  t.end()
})
