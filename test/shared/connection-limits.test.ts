import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

import t, { type Test } from 'tap'
import { limitConnections, type ConnectionLimits } from '../../shared/connection-limits.ts'
import { makeAuthority } from '../emulator/tls.ts'

const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const ok: RequestListener = (_request, response) => void response.end('ok')

interface Fixture {
  /** Connects and resolves as soon as the server has accepted it. */
  open: (from?: string) => Promise<Socket>
  /** The reasons of those closed so far. */
  closed: string[]
}

async function serving(t: Test, limits: Partial<ConnectionLimits>, handle = ok, tls = false): Promise<Fixture> {
  const closed: string[] = []
  const server = tls ? createTlsServer(makeAuthority().issue(), handle) : createServer(handle)
  limitConnections(server, { total: 100, perAddress: 100, onClosed: (limit) => closed.push(limit), ...limits })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(() => server.close().closeAllConnections())
  const open = async (localAddress = '127.0.0.1') => {
    const accepted = once(server, 'connection')
    const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => undefined)
    t.teardown(() => socket.destroy())
    // One that is refused may see the reset before it sees that it was connected.
    const connected = new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    await Promise.all([accepted, connected])
    return socket
  }
  return { open, closed }
}

/** Resolves once the connection is closed, be it by a reset. */
const ended = (socket: Socket): Promise<void> =>
  new Promise((resolve) => (socket.closed ? resolve() : socket.resume().on('close', resolve)))

async function answered(socket: Socket, text = get): Promise<string> {
  socket.write(text)
  const [data] = (await once(socket, 'data')) as [Buffer]
  return String(data).split('\r\n', 1)[0] ?? ''
}

void t.test('connection limits: the oldest idle connection makes room for a new one', async (t) => {
  const { open, closed } = await serving(t, { total: 3 })
  const [first, second, third] = [await open(), await open(), await open()]
  t.match(await answered(first), /200/, 'now the second is idle for longest')
  const fourth = await open()
  await ended(second)
  t.match(await answered(fourth), /200/)
  const fifth = await open()
  await ended(third)
  t.match(await answered(first), /200/)
  t.match(await answered(fifth), /200/)
  t.strictSame(closed, ['total', 'total'])
})

void t.test('connection limits: the address with the most idle connections gives way', async (t) => {
  const { open, closed } = await serving(t, { total: 4 })
  const patient = await open('127.0.0.2')
  const greedy = [await open('127.0.0.3'), await open('127.0.0.3'), await open('127.0.0.4')] as const
  await open('127.0.0.5')
  await ended(greedy[0])
  t.match(await answered(patient), /200/, 'the older connection of an address with one stays')
  t.match(await answered(greedy[1]), /200/)
  t.strictSame(closed, ['total'])
})

void t.test('connection limits: an address that is at its limit loses its own oldest connection', async (t) => {
  const { open, closed } = await serving(t, { perAddress: 2 })
  const others = [await open('127.0.0.2'), await open('127.0.0.2')]
  const [first, second] = [await open(), await open()]
  const third = await open()
  await ended(first)
  for (const socket of [...others, second, third]) t.match(await answered(socket), /200/)
  t.strictSame(closed, ['perAddress'])
})

void t.test('connection limits: a connection that is answered stays, and the new one is closed', async (t) => {
  const answers: (() => void)[] = []
  const handle: RequestListener = (request, response) => {
    answers.push(() => response.end('late'))
    request.resume()
  }
  const { open, closed } = await serving(t, { total: 2 }, handle)
  const busy = [await open(), await open()] as const
  const late = busy.map((socket) => answered(socket))
  while (answers.length < 2) await new Promise(setImmediate)
  await ended(await open())
  t.strictSame(closed, ['total'])
  for (const answer of answers) answer()
  t.match(await Promise.all(late), [/200/, /200/])
  const next = await open()
  await ended(busy[0])
  t.notOk(next.closed, 'once it was answered, a connection is idle again')
})

void t.test('connection limits: a connection stays busy until its last request is answered', async (t) => {
  const answers: (() => void)[] = []
  const { open } = await serving(t, { total: 1 }, (_request, response) => void answers.push(() => response.end('late')))
  const busy = await open()
  busy.write(get + get)
  while (answers.length < 2) await new Promise(setImmediate)
  answers[0]?.()
  await once(busy, 'data')
  await ended(await open())
  t.notOk(busy.closed)
})

void t.test('connection limits: with closeBusy even a connection that is answered gives way', async (t) => {
  let requests = 0
  const { open, closed } = await serving(t, { total: 2, closeBusy: true }, () => void requests++)
  const busy = [await open(), await open()] as const
  for (const socket of busy) socket.write(get)
  while (requests < 2) await new Promise(setImmediate)
  const idle = await open()
  await ended(busy[0])
  await open()
  await ended(idle)
  t.notOk(busy[1].closed, 'an idle one goes first, although it is younger')
  t.strictSame(closed, ['total', 'total'])
})

void t.test('connection limits: a connection that does not read its answer gives way', async (t) => {
  let ends = 0
  const { open, closed } = await serving(t, { total: 2 }, (_request, response) => {
    response.end(Buffer.alloc(50_000_000))
    ends++
  })
  const deaf = [await open(), await open()] as const
  for (const socket of deaf) socket.pause().write(get)
  while (ends < 2) await new Promise(setImmediate)
  const third = await open()
  await ended(deaf[0])
  t.notOk(third.closed)
  t.strictSame(closed, ['total'])
})

void t.test('connection limits: an idle connection gives way before one that sends a body', async (t) => {
  let requests = 0
  const { open } = await serving(t, { total: 2 }, () => void requests++)
  const sending = await open()
  sending.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf')
  while (requests < 1) await new Promise(setImmediate)
  const idle = await open()
  const third = await open()
  await ended(idle)
  third.write(get)
  while (requests < 2) await new Promise(setImmediate)
  await open()
  await ended(sending)
  t.notOk(third.closed, 'a body that is not complete gives way to an answer')
})

void t.test('connection limits: over TLS, unfinished handshakes give way and requests count as work', async (t) => {
  const answers: (() => void)[] = []
  const handle: RequestListener = (_request, response) => void answers.push(() => response.end())
  const { open, closed } = await serving(t, { total: 2 }, handle, true)
  const secure = async () => {
    const socket = await open()
    const tls = connectTls({ socket, rejectUnauthorized: false }).on('error', () => undefined)
    await once(tls, 'secureConnect')
    return tls
  }
  const busy = await secure()
  const answer = answered(busy)
  while (answers.length < 1) await new Promise(setImmediate)
  const silent = await open()
  const second = await secure()
  await ended(silent)
  const other = answered(second)
  while (answers.length < 2) await new Promise(setImmediate)
  await ended(await open())
  for (const each of answers) each()
  t.match(await Promise.all([answer, other]), [/200/, /200/])
  t.strictSame(closed, ['total', 'total'])
})

void t.test('connection limits: a connection ends with its lifetime, whatever it does', async (t) => {
  const { open, closed } = await serving(
    t,
    { lifetimeMs: 500 },
    (_request, response) => void response.write('never ends'),
  )
  const [idle, busy] = [await open(), await open()]
  t.match(await answered(busy), /200/)
  await Promise.all([ended(idle), ended(busy)])
  t.strictSame(closed, ['lifetime', 'lifetime'])
})

void t.test('connection limits: connections that end by themselves make room', async (t) => {
  const { open, closed } = await serving(t, { total: 2, perAddress: 2, lifetimeMs: 60_000 })
  for (let count = 0; count < 10; count++) {
    const socket = await open()
    socket.end('GET / HTTP/1.0\r\n\r\n')
    await ended(socket)
  }
  t.strictSame(closed, [])
})
