import t from 'tap'
import { json, secretBody, type Script } from '../../../support/scripted-server.ts'
import { failure, never } from '../fixture.ts'
import { scripted } from './scripted.ts'

void t.test('wire policy: a reset on a reused idle connection is retried once, at once', async (t) => {
  const resets = new Set<number>()
  const server = await scripted(t, (_request, response, count) => {
    if (resets.has(count)) response.socket?.destroy()
    else json(response, secretBody('x'))
  })
  const vault = server.open()
  const get = () => vault.get('secret', 'db-password', undefined, never)
  await get()
  resets.add(2)
  t.ok(await get(), 'the second request, on the first one’s connection')
  t.equal(server.requests.length, 3)
  t.equal(server.requests[1]!.socket, server.requests[0]!.socket)
  t.not(server.requests[2]!.socket, server.requests[1]!.socket, 'on a fresh connection')
  t.equal(server.reported.at(-1)?.requests, 2)

  resets.add(4).add(5)
  t.match(await failure(get()), { kind: 'network', code: 'ECONNRESET' }, 'not more than once')
  t.equal(server.requests.length, 5)
})

void t.test('wire policy: if one idle connection is dead, the others are not tried', async (t) => {
  const old = new Set<unknown>()
  const server = await scripted(t, (request, response, count) => {
    if (old.has(request.socket)) return void request.socket.destroy()
    // Answered together, so that each has a connection of its own.
    if (count === 1) return void waiting.push(response)
    for (const one of [...waiting.splice(0), response]) json(one, secretBody('x'))
  })
  const waiting: Parameters<Script>[1][] = []
  const vault = server.open()
  const get = () => vault.get('secret', 'db-password', undefined, never)
  await Promise.all([get(), get()])
  for (const { socket } of server.requests) old.add(socket)
  t.equal(old.size, 2)
  t.ok(await get())
})

void t.test('wire policy: a reset on a new connection is left to the schedule', async (t) => {
  let down = false
  const server = await scripted(t, (_request, response) => {
    if (down) response.socket?.destroy()
    else json(response, secretBody('x'), 200, { Connection: 'close' })
  })
  const vault = server.open()
  await vault.get('secret', 'db-password', undefined, never)
  down = true
  t.match(await failure(vault.get('secret', 'db-password', undefined, never)), { kind: 'network', code: 'ECONNRESET' })
  t.equal(server.requests.length, 2)
})

void t.test('wire policy: the SDK retries nothing', async (t) => {
  for (const [status, headers, kind, retryAfter] of [
    [500, {}, 'unavailable', undefined],
    [503, { 'Retry-After': '1' }, 'unavailable', 1000],
    [429, { 'Retry-After': '0' }, 'throttled', 0],
    [429, {}, 'throttled', undefined],
  ] as const) {
    const server = await scripted(t, (_request, response) =>
      json(response, { error: { code: 'Throttled' } }, status, headers),
    )
    const failed = await failure(server.open().get('secret', 'db-password', undefined, never))
    t.match(failed, { kind, status, code: 'Throttled' })
    t.equal(failed.retryAfter, retryAfter)
    t.equal(server.requests.length, 1)
  }
})
