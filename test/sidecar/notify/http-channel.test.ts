import type { lookup } from 'node:dns'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { postNotification } from '../../../sidecar/notify/http-channel.ts'
import type { Notification } from '../../../sidecar/notify/notification.ts'

/** With more than is told. */
const changed = [
  { type: 'secret', name: 'db-password', version: 'v2', paths: ['db-password', 'app.ini'], value: 'hunter2' },
]
const notification: Notification = { id: 'switch-7', switchedAt: Date.UTC(2030, 0, 2, 3, 4, 5), dueAt: 0, changed }

async function listen(t: Test, server: Server, host = '127.0.0.1'): Promise<string> {
  server.listen(0, host)
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/reload`
}

const serve = (t: Test, answer: RequestListener, host?: string) => listen(t, createServer(answer), host)

/** A name server that answers with these addresses. */
const resolver = (...addresses: string[]) =>
  ((_name: string, _options: object, callback: (error: null, all: object[]) => void) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as unknown as typeof lookup

void t.test('notify-url: the POST names what changed and contains no value', async (t) => {
  const got: { method?: string; type?: string; body: string }[] = []
  const url = await serve(t, (request, response) => {
    const { method, headers } = request
    void text(request).then((body) => {
      got.push({ method: method ?? '', type: headers['content-type'] ?? '', body })
      response.writeHead(204).end()
    })
  })
  t.strictSame(await postNotification(`${url}?token=abc`, notification), {
    outcome: 'delivered',
    detail: `POST ${url} answered 204`,
  })
  t.match(got, [{ method: 'POST', type: 'application/json' }])
  t.strictSame(JSON.parse(got[0]?.body ?? ''), {
    id: 'switch-7',
    switchedAt: '2030-01-02T03:04:05.000Z',
    changed: [{ type: 'secret', name: 'db-password', version: 'v2', paths: ['db-password', 'app.ini'] }],
  })
})

void t.test('notify-url: only a 2xx answer counts as delivered', async (t) => {
  for (const [status, outcome] of Object.entries({
    200: 'delivered',
    202: 'delivered',
    299: 'delivered',
    300: 'http-error',
    404: 'http-error',
    503: 'http-error',
  })) {
    const url = await serve(t, (_, response) => response.writeHead(Number(status)).end('body'))
    t.match(await postNotification(url, notification), { outcome, detail: `answered ${status}` })
  }
})

void t.test('notify-url: a redirect is not followed', async (t) => {
  let followed = 0
  const elsewhere = await serve(t, (_, response) => response.writeHead(200).end(String(followed++)))
  for (const status of [301, 302, 307, 308]) {
    const url = await serve(t, (_, response) => response.writeHead(status, { location: elsewhere }).end())
    t.match(await postNotification(url, notification), { outcome: 'http-error', detail: /redirects are not followed$/ })
  }
  t.equal(followed, 0)
})

void t.test('notify-url: an answer that does not come in time is a failure', async (t) => {
  const url = await serve(t, (request) => request.resume())
  t.match(await postNotification(url, notification, { timeoutMs: 50 }), {
    outcome: 'http-error',
    detail: /did not answer within 0\.05 s$/,
  })
})

void t.test('notify-url: an answer counts even if its body never ends', async (t) => {
  const url = await serve(t, (_, response) => response.writeHead(200).write('x'))
  t.match(await postNotification(url, notification, { timeoutMs: 100 }), { outcome: 'delivered' })
})

void t.test('notify-url: a refused connection is retried soon, because the container may be restarting', async (t) => {
  const server = createTcpServer()
  const url = await listen(t, server)
  server.close()
  await once(server, 'close')
  t.match(await postNotification(url, notification), {
    outcome: 'http-error',
    detail: /failed: ECONNREFUSED$/,
    soon: true,
  })
})

void t.test('notify-url: a connection that breaks is a failure', async (t) => {
  const url = await listen(
    t,
    createTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
  )
  t.match(await postNotification(url, notification), {
    outcome: 'http-error',
    detail: /failed: ECONNRESET$/,
    soon: false,
  })
})

void t.test('notify-url: an upgrade that was not requested is a failure', async (t) => {
  const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n'
  const url = await listen(
    t,
    createTcpServer((socket) => socket.once('data', () => socket.end(upgrade))),
  )
  t.match(await postNotification(url, notification), {
    outcome: 'http-error',
    detail: /failed: the connection ended without a response$/,
  })
})

void t.test('notify-url: an abort ends the attempt', async (t) => {
  const url = await serve(t, (request) => request.resume())
  const ended = new AbortController()
  const posted = postNotification(url, notification, { abort: ended.signal })
  ended.abort()
  t.match(await posted, { outcome: 'http-error' })
})

void t.test('notify-url: only loopback addresses are called', async (t) => {
  let reached = 0
  const url = await serve(t, (_, response) => response.writeHead(200).end(String(reached++)), '0.0.0.0')
  const { port } = new URL(url)
  const post = (host: string, ...addresses: string[]) =>
    postNotification(
      `http://${host}:${port}/`,
      notification,
      addresses.length > 0 ? { resolve: resolver(...addresses) } : {},
    )

  for (const host of ['10.0.0.7', '169.254.169.254', '0.0.0.0', '[fe80::1]', '[::]'])
    t.match(await post(host), { outcome: 'http-error', detail: /is not a loopback address$/ }, host)
  t.match(await post('localhost', '10.0.0.7'), {
    outcome: 'http-error',
    detail: /localhost is not a loopback address \(10\.0\.0\.7\)$/,
  })
  t.equal(reached, 0)

  t.match(await post('localhost', '127.0.0.1'), { outcome: 'delivered' })
  t.match(await post('localhost', '10.0.0.7', '127.0.0.1'), { outcome: 'delivered' }, 'the loopback one of several')
  t.match(await post('127.0.0.1'), { outcome: 'delivered' })
  t.match(await post('localhost'), { outcome: 'delivered' }, 'as this machine resolves it')
  t.equal(reached, 4)
})
