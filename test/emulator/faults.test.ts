import t from 'tap'
import { once } from 'node:events'
import { connect } from 'node:tls'
import type { RestError } from '@azure/core-rest-pipeline'
import type { SecretClient } from '@azure/keyvault-secrets'
import type { Fault, Match } from './faults.ts'
import { failureOf, startStage, type Stage } from './sdk.ts'

let stage: Stage
let client: SecretClient
let clock = Date.UTC(2030, 0, 1)
t.before(async () => {
  stage = await startStage({ now: () => clock })
  stage.emulator.vault('my-kv').setSecret('name', 'value')
  client = stage.secrets('my-kv')
  // From here on the client has its token.
  await client.getSecret('name')
})
t.afterEach(() => stage.emulator.faults.clear())
t.teardown(() => stage.end())

const on = (fault: Fault, match: Match = { operation: 'secrets.get' }, times?: number) =>
  stage.emulator.fault({ match, fault, ...(times !== undefined && { times }) })
const names = async () => {
  const found: string[] = []
  for await (const one of client.listPropertiesOfSecrets()) found.push(one.name)
  return found
}

void t.test('throttle: 429 Throttled, without Retry-After unless told', async (t) => {
  on({ kind: 'throttle' })
  t.match(await failureOf(client.getSecret('name')), { status: 429, code: 'Throttled' })
  t.equal(stage.last?.headers.get('retry-after'), undefined)
  stage.emulator.faults.clear()
  for (const retryAfter of [7, 'Wed, 01 Jan 2031 00:00:00 GMT']) {
    const { remove } = on({ kind: 'throttle', retryAfter })
    await failureOf(client.getSecret('name'))
    t.equal(stage.last?.headers.get('retry-after'), String(retryAfter))
    remove()
  }
})

void t.test('forbid: 403 with the inner code', async (t) => {
  for (const inner of ['ForbiddenByRbac', 'AccessDenied', 'ForbiddenByFirewall', 'ForbiddenByConnection']) {
    const { remove } = on({ kind: 'forbid', inner })
    t.match(await failureOf(client.getSecret('name')), { status: 403, code: 'Forbidden', inner })
    remove()
  }
})

void t.test('status: with Key Vault’s body, another one or none', async (t) => {
  const cases = [
    [{ kind: 'status', status: 500 }, /"code":"Status500"/],
    [{ kind: 'status', status: 503, body: 'upstream connect error' }, /^upstream connect error$/],
    [{ kind: 'status', status: 403, body: { error: 'a string' } }, /^{"error":"a string"}$/],
    [{ kind: 'status', status: 403, body: undefined }, /^$/],
  ] as const
  for (const [fault, body] of cases) {
    const { remove } = on(fault)
    // Without a body that it expects the SDK loses the status, so the pipeline is asked.
    await failureOf(client.getSecret('name'))
    t.equal(stage.last?.status, fault.status)
    t.match(stage.last?.bodyAsText ?? '', body)
    remove()
  }
})

void t.test('hang and stall: nobody answers, or not to the end; only the caller’s own signal helps', async (t) => {
  for (const kind of ['hang', 'stall'] as const) {
    const { remove } = on({ kind })
    const abortSignal = AbortSignal.timeout(200)
    await failureOf(client.getSecret('name', { abortSignal }))
    t.ok(abortSignal.aborted, kind)
    remove()
  }
  t.match(stage.emulator.journal.entries({ operation: 'secrets.get' }).slice(-2), [{ status: 0 }, { status: 200 }])
})

void t.test('reset and cut: the connection breaks, before the answer or in the middle of it', async (t) => {
  for (const kind of ['reset', 'cut'] as const) {
    const { remove } = on({ kind })
    const { message } = await failureOf(client.getSecret('name'))
    t.match(message, /ECONNRESET|hang up|aborted|terminated/i, kind)
    remove()
  }
})

void t.test('garbage: 200 with what nobody expects', async (t) => {
  for (const [body, text] of [
    ['html', /^<html>/],
    ['empty', /^$/],
    ['null', /^null$/],
    ['null-list', /"value":null/],
  ] as const) {
    const { remove } = on({ kind: 'garbage', body })
    await client.getSecret('name').catch(() => {})
    t.equal(stage.last?.status, 200)
    t.match(stage.last?.bodyAsText ?? '', text)
    remove()
  }
  on({ kind: 'garbage', body: 'truncated' })
  await t.rejects(client.getSecret('name'))
})

void t.test('delay: waits, then goes on to the next fault or to the answer', async (t) => {
  on({ kind: 'delay', ms: 300 })
  const start = performance.now()
  t.equal((await client.getSecret('name')).value, 'value')
  t.ok(performance.now() - start >= 299)
  on({ kind: 'throttle' })
  t.match(await failureOf(client.getSecret('name')), { status: 429 })
  t.ok(performance.now() - start >= 598)
})

void t.test('unauthorized: 401 with a challenge for a token that is good', async (t) => {
  on({ kind: 'unauthorized' })
  t.match(await failureOf(client.getSecret('name')), { status: 401, code: 'Unauthorized' })
  t.match(stage.last?.headers.get('www-authenticate'), /^Bearer authorization=/)
})

void t.test('wrong-tenant: the challenge names another tenant, and the SDK says so', async (t) => {
  on({ kind: 'wrong-tenant', tenant: 'another-tenant' })
  t.equal((await client.getSecret('name')).value, 'value', 'nothing changes for a client that has its token')
  const { message } = await failureOf(stage.secrets('my-kv').getSecret('name'))
  t.match(message, /tenant .*another-tenant/)
})

void t.test(
  'list-lag: the list as of when the switch was set, or as of some time ago; reads are up to date',
  async (t) => {
    const vault = stage.emulator.vault('lagging')
    const lagging = stage.secrets('lagging')
    const listed = async () => {
      const found: Record<string, unknown> = {}
      for await (const one of lagging.listPropertiesOfSecrets())
        found[one.name] = [one.updatedOn?.getTime(), one.enabled]
      return found
    }
    vault.setSecret('a', 'one')
    vault.setSecret('b', 'one')
    const before = await listed()
    const frozen = on({ kind: 'list-lag' }, { operation: 'secrets.list', vault: 'lagging' })
    vault.update('secrets', 'a', { enabled: false }, undefined)
    vault.delete('secrets', 'b')
    vault.setSecret('c', 'one')
    t.strictSame(await listed(), before)
    t.equal((await lagging.getSecret('c')).value, 'one')
    frozen.remove()
    t.strictSame(Object.keys(await listed()), ['a', 'c'])

    clock += 10_000
    const then = await listed()
    vault.setSecret('c', 'two')
    on({ kind: 'list-lag', ms: 5000 }, { operation: 'secrets.list', vault: 'lagging' })
    clock += 4000
    t.strictSame(await listed(), then)
    clock += 2000
    t.notSame(await listed(), then)
  },
)

void t.test('redirect: the client is sent elsewhere', async (t) => {
  const location = 'https://other.vault.localhost:1/'
  on({ kind: 'redirect', location })
  await failureOf(client.getSecret('name'))
  t.equal(stage.last?.status, 307)
  t.equal(stage.last?.headers.get('location'), location)
})

void t.test('next-link: the list leads to another host, or in a circle', async (t) => {
  stage.emulator.vault('other-host').setSecret('bait', 'x')
  const to = `${stage.emulator.url('other-host')}secrets?api-version=7.6`
  const { remove } = on({ kind: 'next-link', to }, { operation: 'secrets.list', vault: 'my-kv' })
  await t.rejects(
    names(),
    /does not match the requested domain/,
    'the SDK follows, and takes its token to no other vault',
  )
  remove()

  on({ kind: 'next-link', to: 'self' }, { operation: 'secrets.list' }, 3)
  t.strictSame(await names(), ['name', 'name', 'name', 'name'])
})

void t.test('empty-page: a page without items that leads on', async (t) => {
  on({ kind: 'empty-page' }, { operation: 'secrets.list' }, 1)
  stage.emulator.journal.reset()
  t.strictSame(await names(), ['name'])
  t.equal(stage.emulator.journal.count('secrets.list'), 2)
})

void t.test('aadsts, throttle and status at the token endpoint', async (t) => {
  const cases = [
    [{ kind: 'aadsts', code: 70021 }, /AADSTS70021/],
    [{ kind: 'throttle', retryAfter: 3 }, /AADSTS90055/],
    [{ kind: 'status', status: 503, body: {} }, /./],
  ] as const
  for (const [fault, message] of cases) {
    on(fault, { operation: 'token' }, 1)
    const fresh = stage.secrets('my-kv')
    t.match((await failureOf(fresh.getSecret('name'))).message, message)
    t.equal((await stage.secrets('my-kv').getSecret('name')).value, 'value', 'and then it is over')
  }
})

void t.test('a fault hits what it matches, and as often as it says', async (t) => {
  stage.emulator.vault('other-kv').setSecret('name', 'other')
  const fault = { kind: 'status', status: 500 } as const
  const other = stage.secrets('other-kv')
  on(fault, { vault: 'other-*', object: 'NAME' }, 2)
  t.equal((await client.getSecret('name')).value, 'value')
  t.match(await failureOf(other.getSecret('name')), { status: 500 })
  t.match(stage.emulator.faults.list(), [{ times: 1 }])
  t.match(await failureOf(other.getSecret('name')), { status: 500 })
  t.equal((await other.getSecret('name')).value, 'other')
  t.strictSame(stage.emulator.faults.list(), [])

  for (const status of [500, 502]) on({ kind: 'status', status }, { object: 'name' }, 1)
  t.match(await failureOf(client.getSecret('name')), { status: 500 })
  t.match(await failureOf(client.getSecret('name')), { status: 502 }, 'one at a time')

  on(fault, { client: stage.clientId, operation: '*.list' })
  t.match(await failureOf(names()), { status: 500 })
  t.equal((await client.getSecret('name')).value, 'value')
  on(fault, { client: 'somebody else' })
  t.equal((await client.getSecret('name')).value, 'value')
})

void t.test('above: a limit in a sliding window, as the service has it', async (t) => {
  const above = { requests: 3, window: 10_000 }
  stage.emulator.fault({ match: { vault: 'my-kv' }, fault: { kind: 'throttle' }, above })
  const outcomes = async (calls: number) => {
    const found: (number | undefined)[] = []
    for (let i = 0; i < calls; i++) {
      found.push(
        await client.getSecret('name').then(
          () => 200,
          (error: RestError) => error.statusCode,
        ),
      )
      clock += 1000
    }
    return found
  }
  t.strictSame(await outcomes(5), [200, 200, 200, 429, 429])
  clock += 5000
  t.strictSame(await outcomes(4), [200, 200, 200, 429])
})

void t.test('the challenge is left alone unless the match asks for it', async (t) => {
  on({ kind: 'status', status: 500 }, {}, 1)
  stage.emulator.journal.reset()
  t.match(await failureOf(stage.secrets('my-kv').getSecret('name')), { status: undefined })
  stage.emulator.faults.clear()
  for (const challenge of [true, 'any'] as const) {
    on({ kind: 'status', status: 502 }, { operation: 'secrets.*', challenge })
    t.match(await failureOf(stage.secrets('my-kv').getSecret('name')), { status: 502 })
    stage.emulator.faults.clear()
  }
})

void t.test('offline: connections are refused until it is online again, and nothing is lost', async (t) => {
  await stage.emulator.offline()
  t.match((await failureOf(client.getSecret('name'))).message, /ECONNREFUSED|ECONNRESET|hang up/)
  t.match((await failureOf(client.getSecret('name'))).message, /ECONNREFUSED/)
  await stage.emulator.online()
  t.equal((await client.getSecret('name')).value, 'value')
})

void t.test('another certificate is served from the next connection on', async (t) => {
  const { port, authority, ca } = stage.emulator
  const verdict = async () => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'my-kv.vault.localhost',
      ca,
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    socket.destroy()
    return socket.authorizationError ?? 'good'
  }
  const names = ['*.vault.localhost', 'localhost']
  t.equal(await verdict(), 'good')
  stage.emulator.useCertificate(authority!.issue({ names, to: new Date(Date.now() - 1000) }))
  t.equal(await verdict(), 'CERT_HAS_EXPIRED')
  stage.emulator.useCertificate(authority!.issue({ names }))
  t.equal(await verdict(), 'good')
})

void t.test('the Date header follows the emulator’s clock', async (t) => {
  await client.getSecret('name')
  t.equal(stage.last?.headers.get('date'), new Date(clock).toUTCString())
})

void t.test('the journal says who asked for what, and how it ended, but no value', async (t) => {
  const { journal } = stage.emulator
  journal.reset()
  const next = journal.next({ operation: 'secrets.get', status: 404 })
  await client.getSecret('name')
  await failureOf(client.getSecret('absent'))
  t.match(await next, { vault: 'my-kv', object: 'absent', client: stage.clientId, status: 404, time: clock })
  t.equal(journal.count('secrets.*', 'my-kv'), 2)
  t.strictSame(journal.counts('other-kv'), {})
  t.strictSame(journal.counts('my-kv'), { 'secrets.get': 2 })
  t.notMatch(JSON.stringify(journal.entries()), /"value"/)
})
