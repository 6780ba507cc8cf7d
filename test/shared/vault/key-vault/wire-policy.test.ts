import { inspect } from 'node:util'
import t from 'tap'
import { json, page, secretBody, type Script } from '../../../support/scripted-server.ts'
import { failure, never } from '../fixture.ts'
import { scripted } from './scripted.ts'

void t.test('wire policy: a rejected token is replaced once, and then the failure is reported', async (t) => {
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
  t.strictSame([server.signIns(), server.requests.length], [1, 1])

  good = new Set(['token-2'])
  vault.beginPoll()
  t.ok(await get(), 'is replaced within the same call')
  t.strictSame([server.signIns(), server.requests.length], [2, 3])

  good = new Set()
  vault.beginPoll()
  t.match(await failure(get()), { kind: 'unauthorized', code: 'AKV10024', status: 401 })
  t.equal(server.signIns(), 3)
  const before = server.requests.length
  t.match(await failure(get()), { kind: 'unauthorized' })
  t.equal(server.signIns(), 3, 'no more than once in a poll')
  t.equal(server.requests.length, before + 1, 'and the same token is not sent twice')
  vault.beginPoll()
  await failure(get())
  t.equal(server.signIns(), 4, 'the next poll tries again')
})

void t.test('wire policy: a client that is created later also replaces the rejected token', async (t) => {
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

void t.test('wire policy: a challenge that cannot be answered is a failure that says why', async (t) => {
  const cases: [name: string, challenge: string, message: RegExp][] = [
    ['none', '', /401 without a challenge/],
    ['no resource', 'Bearer realm="x"', /401 without a challenge/],
    [
      'of another domain',
      'Bearer authorization="https://login.example/t", resource="https://evil.example"',
      /asks for a token for "https:\/\/evil.example".* verifyChallengeResource: false/,
    ],
    [
      'an authorization that is no URL',
      'Bearer authorization="nowhere", resource="https://vault.azure.net"',
      /asks for a token for/,
    ],
  ]
  for (const [name, challenge, message] of cases) {
    const server = await scripted(t, (_request, response) => json(response, secretBody('x')), { challenge })
    const vault = server.open({ cloud: { verifyChallengeResource: true } })
    t.match(
      await failure(vault.get('secret', 'db-password', undefined, never)),
      { kind: 'unauthorized', code: 'Challenge', message },
      name,
    )
    t.strictSame([server.signIns(), server.requests.length], [0, 0], 'no token was asked for')
  }
})

void t.test('wire policy: an answer that is not Key Vault’s is a failure that quotes nothing', async (t) => {
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
      inspect(failed, { depth: 9, showHidden: true }) + JSON.stringify(server.reported),
      /s3cr3t/,
      'nothing of it is in the message',
    )
  }
})

void t.test('wire policy: a list that is not Key Vault’s is a failure', async (t) => {
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
    const server = await scripted(t, (_request, response) => {
      response.setHeader('Content-Type', 'application/json').end(body)
    })
    for (const type of ['secret', 'key', 'cert'] as const) {
      const failed = await failure(server.open().list(type, never))
      t.match(failed, { kind: 'malformed', status: 200 }, `${type} ${body}`)
    }
  }
})

void t.test('wire policy: requests carry the API version and a user agent, and request no compression', async (t) => {
  const server = await scripted(t, (_request, response) => json(response, secretBody('x')))
  await server.open().get('secret', 'db-password', undefined, never)
  await server.open({ cloud: { apiVersion: '2016-10-01' } }).get('secret', 'db-password', undefined, never)
  t.strictSame(
    server.requests.map(({ path }) => new URL(path, server.url).searchParams.get('api-version')),
    ['7.6', '2016-10-01'],
  )
  t.match(server.requests[0]!.headers['user-agent'], /^akv-injector /, "for the vault's own logs")
  t.equal(server.requests[0]!.headers['accept-encoding'], undefined, 'nothing that would have to be unpacked')
})
