import { once } from 'node:events'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { json, page, secretBody, startScripted, type Script } from './scripted.ts'
import { failure, never } from './stage.ts'

const scripted = async (t: Test, script: Script, options?: Parameters<typeof startScripted>[1]) => {
  const server = await startScripted(script, options)
  t.teardown(() => server.close())
  return server
}

/** Short, where a test waits for it to pass; what it is about happens on a connection that is there already. */
const short = { effects: { timeout: 1000 } }

void t.test('a vault that does not answer in time', async (t) => {
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
      { kind: 'timeout', message: /secret db-password: the vault gave no complete answer within 1 s$/ },
      name,
    )
    t.equal(server.seen.length, 2, 'it is asked once')
    const { socket } = server.seen[1]!
    if (!socket.closed) await once(socket, 'close')
    t.ok(socket.closed, 'and no connection is left hanging')
  }
})

void t.test('pages share one deadline', async (t) => {
  const server = await scripted(t, (_request, response, count) => {
    setTimeout(() => json(response, page([`s${count}`], `${server.url}/secrets?page=${count}`)), 300)
  })
  const late = await failure(server.open(short).list('secret', never))
  t.equal(late.kind, 'timeout')
  t.ok(server.seen.length < 6, `${server.seen.length} pages`)
})

void t.test('a later page that hangs ends with the deadline, and with the caller', async (t) => {
  const server = await scripted(t, (_request, response, count) => {
    if (count % 2 === 1) json(response, page(['s1'], `${server.url}/secrets?page=2`))
  })
  const vault = server.open(short)
  t.equal((await failure(vault.list('secret', never))).kind, 'timeout')
  const caller = new AbortController()
  const listing = failure(vault.list('secret', caller.signal))
  while (server.seen.length < 4) await new Promise((resolve) => setImmediate(resolve))
  caller.abort()
  t.match(await listing, { kind: 'timeout', code: 'ABORTED' })
  for (const { socket } of [server.seen[1]!, server.seen[3]!]) if (!socket.closed) await once(socket, 'close')
  t.match(await failure(vault.list('secret', caller.signal)), { code: 'ABORTED' }, 'a signal that is over')
  t.equal(server.seen.length, 4)
})

void t.test('a connection that breaks in the middle of a body is noticed at once', async (t) => {
  const server = await scripted(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': 100 }).write('{"value":', () => response.socket?.destroy())
  })
  const broken = await failure(server.open().get('secret', 'db-password', undefined, never))
  t.match(broken, { kind: 'network', code: 'ECONNRESET' })
  t.ok(server.told[0]!.durationMs < 4000)
})

void t.test('a wall clock that jumps makes no call long', async (t) => {
  const server = await scripted(t, (_request, response) => json(response, secretBody('value')))
  let time = Date.now()
  await server.open({ effects: { now: () => (time += 3_600_000) } }).get('secret', 'db-password', undefined, never)
  t.ok(server.told[0]!.durationMs > 0 && server.told[0]!.durationMs < 3_600_000)
})

void t.test('an answer without end is not read to the end', async (t) => {
  const server = await scripted(t, (_request, response) => {
    const more = () => void (response.destroyed || response.write(Buffer.alloc(65_536, 32), more))
    response.writeHead(200, { 'Content-Type': 'application/json' })
    more()
  })
  const failed = await failure(server.open().get('secret', 'db-password', undefined, never))
  t.match(failed, { kind: 'malformed', message: /more than 1048576 bytes/ })
})

void t.test('a reset on a reused idle connection is tried again once, at once', async (t) => {
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
  t.equal(server.seen.length, 3)
  t.equal(server.seen[1]!.socket, server.seen[0]!.socket)
  t.not(server.seen[2]!.socket, server.seen[1]!.socket, 'on a fresh connection')
  t.equal(server.told.at(-1)?.requests, 2)

  resets.add(4).add(5)
  t.match(await failure(get()), { kind: 'network', code: 'ECONNRESET' }, 'not more than once')
  t.equal(server.seen.length, 5)
})

void t.test('where one idle connection is dead, the others are not tried', async (t) => {
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
  for (const { socket } of server.seen) old.add(socket)
  t.equal(old.size, 2)
  t.ok(await get())
})

void t.test('a reset on a fresh connection is the schedule’s', async (t) => {
  let down = false
  const server = await scripted(t, (_request, response) => {
    if (down) response.socket?.destroy()
    else json(response, secretBody('x'), 200, { Connection: 'close' })
  })
  const vault = server.open()
  await vault.get('secret', 'db-password', undefined, never)
  down = true
  t.match(await failure(vault.get('secret', 'db-password', undefined, never)), { kind: 'network', code: 'ECONNRESET' })
  t.equal(server.seen.length, 2)
})

void t.test('nothing is retried by the SDK', async (t) => {
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
    t.equal(server.seen.length, 1)
  }
})

void t.test('a redirect is not followed, and no token leaves', async (t) => {
  const other = await scripted(t, (_request, response) => json(response, secretBody('other')))
  for (const status of [301, 302, 307, 308]) {
    const server = await scripted(t, (_request, response) => {
      response.writeHead(status, { Location: `${other.url}/secrets/db-password` }).end()
    })
    const failed = await failure(server.open().get('secret', 'db-password', undefined, never))
    t.match(failed, {
      kind: 'malformed',
      status,
      message: new RegExp(`a redirect to ${other.url}, which is not followed`),
    })
  }
  t.equal(other.seen.length + other.challenges(), 0)
  const same = await scripted(t, (request, response) => {
    if (request.url?.includes('here')) json(response, secretBody('x'))
    else response.writeHead(302, { Location: '/secrets/here' }).end()
  })
  t.match(await failure(same.open().get('secret', 'db-password', undefined, never)), { kind: 'malformed', status: 302 })
  t.equal(same.seen.length, 1, 'nor one to the vault itself: Key Vault has none')
})

void t.test('links to a next page', async (t) => {
  const other = await scripted(t, (_request, response) => json(response, page(['stolen'])))
  const refused: [name: string, link: (url: string) => string, message: RegExp][] = [
    ['of another host', () => `${other.url}/secrets?page=2`, /a link is not followed: it leads to https:/],
    ['of another scheme', (url) => `${url.replace('https', 'http')}/secrets?page=2`, /it leads to http:/],
    ['of another collection', (url) => `${url}/keys?page=2`, /another collection/],
    ['of a collection that begins alike', (url) => `${url}/secretsandmore?page=2`, /another collection/],
    ['out of the collection', (url) => `${url}/secrets/../keys?page=2`, /another collection/],
    ['of the same page', (url) => `${url}/secrets?page=1`, /was there before/],
    ['with credentials before another host', (url) => url.replace('https://localhost', 'https://localhost@127.0.0.1') + '/secrets', /127\.0\.0\.1/], // prettier-ignore
  ]
  for (const [name, link, message] of refused) {
    const server = await scripted(t, (request, response) => {
      const first = !(request.url ?? '').includes('page=')
      json(response, page(['s1'], first ? `${server.url}/secrets?page=1` : link(server.url)))
    })
    const failed = await failure(server.open().list('secret', never))
    t.match(failed, { kind: 'malformed', code: 'NextLinkRefused', message }, name)
    t.equal(server.seen.length, 2)
  }
  t.equal(other.seen.length + other.challenges(), 0, 'nobody else was asked')

  const followed: [name: string, pages: (url: string) => unknown[]][] = [
    ['absolute', (url) => [page(['s1'], `${url}/secrets?page=2`), page(['s2'])]],
    ['relative', () => [page(['s1'], '/secrets?page=2'), page(['s2'], null)]],
    ['in other case', (url) => [page(['s1'], `${url.replace('localhost', 'LOCALHOST')}/Secrets?page=2`), page(['S2'], '')]], // prettier-ignore
    ['on an empty page', (url) => [page([], `${url}/secrets?page=2`), page(['s1', 's2'])]],
  ]
  for (const [name, pages] of followed) {
    const server = await scripted(t, (_request, response, count) => json(response, pages(server.url)[count - 1]))
    const { items, pages: count } = await server.open().list('secret', never)
    t.strictSame([...items.keys()], ['s1', 's2'], name)
    t.equal(count, 2)
  }
})

void t.test('at most 40 pages', async (t) => {
  let last = 40
  const server = await scripted(t, (request, response) => {
    const here = Number(new URL(request.url!, server.url).searchParams.get('page') ?? 1)
    json(response, page([`s${here}`], here < last ? `${server.url}/secrets?page=${here + 1}` : null))
  })
  const vault = server.open()
  t.match(await vault.list('secret', never), { pages: 40 })
  last = 41
  t.match(await failure(vault.list('secret', never)), { kind: 'malformed', code: 'TooManyPages' })
})

void t.test('links between versions stay with the object', async (t) => {
  const server = await scripted(t, (request, response) =>
    json(response, page(['a/1'], request.url!.includes('/A/') ? `${server.url}/secrets/b/versions?page=2` : null)),
  )
  t.match(await failure(server.open().versions('secret', 'A', never)), { code: 'NextLinkRefused' })
})

void t.test('a token that is refused', async (t) => {
  let good = new Set(['token-1'])
  const refuse: Script = (request, response) => {
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    if (good.has(token)) json(response, secretBody('x'))
    else
      json(response, { error: { code: 'Unauthorized', message: 'AKV10024: revoked' } }, 401, {
        'WWW-Authenticate': 'Bearer authorization="https://login.example/7e57", resource="https://vault.azure.net"',
      })
  }
  const server = await scripted(t, refuse)
  const vault = server.open()
  const get = () => vault.get('secret', 'db-password', undefined, never)
  vault.beginPoll()
  await get()
  t.strictSame([server.signIns(), server.seen.length], [1, 1])

  good = new Set(['token-2'])
  vault.beginPoll()
  t.ok(await get(), 'is replaced within the same call')
  t.strictSame([server.signIns(), server.seen.length], [2, 3])

  good = new Set()
  vault.beginPoll()
  t.match(await failure(get()), { kind: 'unauthorized', code: 'AKV10024', status: 401 })
  t.equal(server.signIns(), 3)
  const before = server.seen.length
  t.match(await failure(get()), { kind: 'unauthorized' })
  t.equal(server.signIns(), 3, 'no more than once in a poll')
  t.equal(server.seen.length, before + 1, 'and the same token is not sent twice')
  vault.beginPoll()
  await failure(get())
  t.equal(server.signIns(), 4, 'the next poll tries again')
})

void t.test('a client made later has the refused token replaced too', async (t) => {
  let good = 'token-1'
  const server = await scripted(t, (request, response) => {
    if (request.headers.authorization === `Bearer ${good}`) json(response, page([]))
    else response.writeHead(401).end()
  })
  const vault = server.open()
  await vault.list('secret', never)
  good = 'token-2'
  t.ok(await vault.list('key', never))
  t.equal(server.signIns(), 2)
})

void t.test('challenges that cannot be answered', async (t) => {
  const cases: [name: string, challenge: string, message: RegExp][] = [
    ['none', '', /401 without a challenge/],
    ['no resource', 'Bearer realm="x"', /401 without a challenge/],
    ['of another domain', 'Bearer authorization="https://login.example/t", resource="https://evil.example"', /its challenge is for "https:\/\/evil.example".* verifyChallengeResource: false/], // prettier-ignore
    [
      'an authorization that is no URL',
      'Bearer authorization="nowhere", resource="https://vault.azure.net"',
      /challenge/,
    ],
  ]
  for (const [name, challenge, message] of cases) {
    const server = await scripted(t, (_request, response) => json(response, secretBody('x')), { challenge })
    const vault = server.open({ cloud: { verifyChallengeResource: true } })
    t.match(await failure(vault.get('secret', 'db-password', undefined, never)), { kind: 'unauthorized', code: 'Challenge', message }, name) // prettier-ignore
    t.strictSame([server.signIns(), server.seen.length], [0, 0], 'no token was asked for')
  }
})

void t.test('answers that are not Key Vault’s, and hold what nobody may see', async (t) => {
  const value = 's3cr3t-value'
  const whole = JSON.stringify(secretBody(value))
  const cases: [name: string, body: string, type?: string][] = [
    ['HTML', `<html>${value}</html>`, 'text/html'],
    ['plain text', value, 'text/plain'],
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '7'],
    ['a list', `["${value}"]`],
    ['an empty object', '{}'],
    ['half an object', whole.slice(0, -5)],
    ['half an object, as nothing in particular', whole.slice(0, -5), 'application/octet-stream'],
    ['no id', JSON.stringify({ value })],
    ['an id that is none', JSON.stringify({ ...secretBody(value), id: value })],
    ['no value', JSON.stringify({ ...secretBody(value), value: undefined })],
    ['a value that is no text', JSON.stringify({ ...secretBody(value), value: { value } })],
    ['another secret', JSON.stringify(secretBody(value, 'other'))],
    ['no version', JSON.stringify({ ...secretBody(value), id: 'https://x.example/secrets/db-password' })],
    ['another version', JSON.stringify(secretBody(value, 'db-password', '2'.repeat(32)))],
    ['attributes that are none', JSON.stringify({ ...secretBody(value), attributes: 7, id: 8 })],
  ]
  for (const [name, body, type = 'application/json'] of cases) {
    const server = await scripted(t, (_request, response) => void response.setHeader('Content-Type', type).end(body))
    const failed = await failure(server.open().get('secret', 'db-password', '1'.repeat(32), never))
    t.match(failed, { kind: 'malformed', status: 200 }, name)
    t.ok(failed.transient, 'it may pass')
    t.notMatch(
      inspect(failed, { depth: 9, showHidden: true }) + JSON.stringify(server.told),
      /s3cr3t/,
      'nothing of it is told',
    )
  }
})

void t.test('lists that are not Key Vault’s', async (t) => {
  for (const body of [
    '{"value":null,"nextLink":null}',
    '{}',
    'null',
    '<html>',
    '{"value":[{}]}',
    '{"value":[null]}',
    '{"value":[],"nextLink":7}',
    '{"value":[{"id":"x"}]}',
  ]) {
    // prettier-ignore
    const server = await scripted(t, (_request, response) => {
      response.setHeader('Content-Type', 'application/json').end(body)
    })
    for (const type of ['secret', 'key', 'cert'] as const) {
      const failed = await failure(server.open().list(type, never))
      t.match(failed, { kind: 'malformed', status: 200 }, `${type} ${body}`)
    }
  }
})

void t.test('what goes over the wire', async (t) => {
  const server = await scripted(t, (_request, response) => json(response, secretBody('x')))
  await server.open().get('secret', 'db-password', undefined, never)
  await server.open({ cloud: { apiVersion: '2016-10-01' } }).get('secret', 'db-password', undefined, never)
  t.strictSame(
    server.seen.map(({ path }) => new URL(path, server.url).searchParams.get('api-version')),
    ['7.6', '2016-10-01'],
  )
  t.match(server.seen[0]!.headers['user-agent'], /^akv-injector /, "for the vault's own logs")
  t.equal(server.seen[0]!.headers['accept-encoding'], undefined, 'nothing that would have to be unpacked')
})
