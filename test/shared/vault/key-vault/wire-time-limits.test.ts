import { realClock } from '../../../../shared/clock.ts'
import t from 'tap'
import { closed } from '../../../support/closed.ts'
import { json, page, secretBody, type Script } from '../../../support/scripted-server.ts'
import { failure, never } from '../fixture.ts'
import { scripted } from './scripted.ts'

/** Short, where a test waits for it to pass; what it is about happens on a connection that is there already. */
const short = { effects: { timeoutMs: 1000 } }

void t.test('wire policy: a vault that does not answer in time is a failure, wherever it stops', async (t) => {
  const cases: [name: string, script: Script][] = [
    ['no answer', () => {}],
    ['half a body', (_request, response) => void response.writeHead(200, { 'Content-Length': 100 }).write('{"value":')],
    [
      'a body that never ends',
      (_request, response) => {
        const timer = setInterval(() => response.write(' '), 20)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ]
  for (const [name, script] of cases) {
    const server = await scripted(t, (request, response, count) => {
      if (count === 1) json(response, secretBody('x'))
      else script(request, response, count)
    })
    const vault = server.open(short)
    await vault.get('secret', 'db-password', undefined, never)
    const late = await failure(vault.get('secret', 'db-password', undefined, never))
    t.match(
      late,
      {
        kind: 'timeout',
        message: /secret db-password: localhost:\d+ gave no complete answer within 1 s: is there a firewall/,
      },
      name,
    )
    t.equal(server.requests.length, 2, 'it is asked once')
    const { socket } = server.requests[1]!
    await closed(socket)
    t.ok(socket.closed, 'and no connection is left hanging')
  }
})

void t.test('wire policy: pages share one deadline', async (t) => {
  const server = await scripted(t, (_request, response, count) => {
    setTimeout(() => json(response, page([`s${count}`], `${server.url}/secrets?page=${count}`)), 300)
  })
  const late = await failure(server.open(short).list('secret', never))
  t.equal(late.kind, 'timeout')
  t.ok(server.requests.length < 6, `${server.requests.length} pages`)
})

void t.test('wire policy: a later page that hangs ends with the deadline or the caller', async (t) => {
  const server = await scripted(t, (_request, response, count) => {
    if (count % 2 === 1) json(response, page(['s1'], `${server.url}/secrets?page=2`))
  })
  const vault = server.open(short)
  t.equal((await failure(vault.list('secret', never))).kind, 'timeout')
  const caller = new AbortController()
  const listing = failure(vault.list('secret', caller.signal))
  while (server.requests.length < 4) await new Promise((resolve) => setImmediate(resolve))
  caller.abort()
  t.match(await listing, { kind: 'timeout', code: 'ABORTED' })
  for (const { socket } of [server.requests[1]!, server.requests[3]!]) await closed(socket)
  t.match(await failure(vault.list('secret', caller.signal)), { code: 'ABORTED' }, 'a signal that is over')
  t.equal(server.requests.length, 4)
})

void t.test('wire policy: a connection that breaks within a body is detected at once', async (t) => {
  const server = await scripted(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': 100 }).write('{"value":', () => response.socket?.destroy())
  })
  const broken = await failure(server.open().get('secret', 'db-password', undefined, never))
  t.match(broken, { kind: 'network', code: 'ECONNRESET' })
  t.ok(server.reported[0]!.durationMs < 4000)
})

void t.test('wire policy: a jump of the wall clock does not extend a call', async (t) => {
  const server = await scripted(t, (_request, response) => json(response, secretBody('value')))
  let time = Date.now()
  await server
    .open({ effects: { clock: { ...realClock, now: () => (time += 3_600_000) } } })
    .get('secret', 'db-password', undefined, never)
  t.ok(server.reported[0]!.durationMs > 0 && server.reported[0]!.durationMs < 3_600_000)
})

void t.test('wire policy: an endless answer is not read to the end', async (t) => {
  const server = await scripted(t, (_request, response) => {
    const more = () => void (response.destroyed || response.write(Buffer.alloc(65_536, 32), more))
    response.writeHead(200, { 'Content-Type': 'application/json' })
    more()
  })
  const failed = await failure(server.open().get('secret', 'db-password', undefined, never))
  t.match(failed, { kind: 'malformed', message: /more than 1048576 bytes/ })
})
