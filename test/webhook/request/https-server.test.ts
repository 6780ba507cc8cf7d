import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { Limit } from '../../../webhook/limits.ts'
import { createBoundedServer } from '../../../webhook/request/https-server.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { closed } from '../../support/closed.ts'

const get = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'

async function serving(t: Test, handle: RequestListener) {
  const limits: Limit[] = []
  let parsed = 0
  const server = createBoundedServer(makeAuthority().issue(), handle, (limit) => limits.push(limit))
  server.prependListener('request', () => parsed++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  const open = async (): Promise<TLSSocket> => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', () => undefined)
    await once(socket, 'secureConnect')
    return socket
  }
  return { open, limits, parsed: () => parsed }
}

for (const [title, parts] of Object.entries({
  'at once': [get.repeat(1_000)],
  'in a TLS record each': Array<string>(1_000).fill(get),
})) {
  void t.test(`HTTPS server: of a thousand requests ${title} at most one is handled, and few are parsed`, async (t) => {
    let handled = 0
    const { open, limits, parsed } = await serving(t, (_request, response) => {
      handled++
      response.end('ok')
    })
    const socket = await open()
    const ended = closed(socket.resume())
    for (const part of parts) socket.write(part)
    await ended
    t.ok(handled <= 1, `${handled} are handled`)
    t.strictSame(limits, ['pipelining'])
    t.ok(parsed() <= 2_048 / get.length + 1, `${parsed()} are parsed`)
  })
}

void t.test('HTTPS server: pipelined requests share a connection', async (t) => {
  let turns = 0
  const { open, limits } = await serving(t, (_request, response) => {
    const answer = () => void response.end('ok')
    // The client may have the answer before the server knows that it was sent.
    if (turns++ % 2 === 0) answer()
    else setImmediate(answer)
  })
  const sockets = await Promise.all(Array.from({ length: 20 }, open))
  await Promise.all(
    sockets.map(async (socket) => {
      for (let count = 0; count < 200; count++) {
        socket.write(get)
        const [answer] = (await once(socket, 'data')) as [Buffer]
        if (!String(answer).startsWith('HTTP/1.1 200')) t.fail(String(answer))
      }
    }),
  )
  t.strictSame(limits, [])
})

void t.test('HTTPS server: a body of any size arrives unchanged, together with the next request', async (t) => {
  const { open, limits } = await serving(
    t,
    (request, response) => void text(request).then((body) => response.end(body)),
  )
  const socket = await open()
  for (const length of [1, 2_047, 2_048, 2_049, 100_000, 3_000_000]) {
    const body = Array.from({ length: Math.ceil(length / 8) }, (_, index) => `${index}`.padStart(8, '.'))
      .join('')
      .slice(0, length)
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n${body}`)
    let received = ''
    while (!received.endsWith(body)) received += String(((await once(socket, 'data')) as [Buffer])[0])
    t.match(received, /^HTTP\/1.1 200/, `${length} bytes`)
  }
  t.strictSame(limits, [])
})
