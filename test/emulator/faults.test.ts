import t from 'tap'
import type { RestError } from '@azure/core-rest-pipeline'
import type { SecretClient } from '@azure/keyvault-secrets'
import type { Fault, Match } from './faults.ts'
import { until } from '../support/until.ts'
import { failureOf, startFixture, type EmulatorFixture } from './sdk.ts'

let fixture: EmulatorFixture
let client: SecretClient
let clock = Date.UTC(2030, 0, 1)
t.before(async () => {
  fixture = await startFixture({ now: () => clock })
  fixture.emulator.vault('my-kv').setSecret('name', 'value')
  client = fixture.secrets('my-kv')
  // From here on the client has its token.
  await client.getSecret('name')
})
t.afterEach(() => fixture.emulator.faults.clear())
t.teardown(() => fixture.end())

const on = (fault: Fault, match: Match = { operation: 'secrets.get' }, times?: number) =>
  fixture.emulator.fault({ match, fault, ...(times !== undefined && { times }) })
const names = async () => {
  const found: string[] = []
  for await (const one of client.listPropertiesOfSecrets()) found.push(one.name)
  return found
}

void t.test('fault throttle: 429 Throttled, with Retry-After only if it is set', async (t) => {
  on({ kind: 'throttle' })
  t.match(await failureOf(client.getSecret('name')), { status: 429, code: 'Throttled' })
  t.equal(fixture.last?.headers.get('retry-after'), undefined)
  fixture.emulator.faults.clear()
  for (const retryAfter of [7, 'Wed, 01 Jan 2031 00:00:00 GMT']) {
    const { remove } = on({ kind: 'throttle', retryAfter })
    await failureOf(client.getSecret('name'))
    t.equal(fixture.last?.headers.get('retry-after'), String(retryAfter))
    remove()
  }
})

void t.test('fault forbid: 403 with the inner error code', async (t) => {
  for (const inner of ['ForbiddenByRbac', 'AccessDenied', 'ForbiddenByFirewall', 'ForbiddenByConnection']) {
    const { remove } = on({ kind: 'forbid', inner })
    t.match(await failureOf(client.getSecret('name')), { status: 403, code: 'Forbidden', inner })
    remove()
  }
})

void t.test('fault status: with Key Vault’s body, another body or none', async (t) => {
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
    t.equal(fixture.last?.status, fault.status)
    t.match(fixture.last?.bodyAsText ?? '', body)
    remove()
  }
})

const reads = () => fixture.emulator.journal.entries({ operation: 'secrets.get' })

void t.test('faults hang and stall: the response never starts or never ends until the caller aborts', async (t) => {
  for (const kind of ['hang', 'stall'] as const) {
    const { remove } = on({ kind })
    const abortSignal = AbortSignal.timeout(200)
    const before = reads().length
    await failureOf(client.getSecret('name', { abortSignal }))
    t.ok(abortSignal.aborted, kind)
    // The emulator notices the end of the connection in its own time.
    await until('the journal has the request', () => reads().length > before)
    remove()
  }
  t.match(reads().slice(-2), [{ status: 0 }, { status: 200 }])
})

void t.test('faults reset and cut: the connection breaks before or within the response', async (t) => {
  for (const kind of ['reset', 'cut'] as const) {
    const { remove } = on({ kind })
    const { message } = await failureOf(client.getSecret('name'))
    t.match(message, /ECONNRESET|hang up|aborted|terminated/i, kind)
    remove()
  }
})

void t.test('fault garbage: 200 with an unexpected body', async (t) => {
  for (const [body, text] of [
    ['html', /^<html>/],
    ['empty', /^$/],
    ['null', /^null$/],
    ['null-list', /"value":null/],
  ] as const) {
    const { remove } = on({ kind: 'garbage', body })
    await client.getSecret('name').catch(() => {})
    t.equal(fixture.last?.status, 200)
    t.match(fixture.last?.bodyAsText ?? '', text)
    remove()
  }
  on({ kind: 'garbage', body: 'truncated' })
  await t.rejects(client.getSecret('name'))
})

void t.test('fault delay: waits, then applies the next fault or answers', async (t) => {
  on({ kind: 'delay', ms: 300 })
  const start = performance.now()
  t.equal((await client.getSecret('name')).value, 'value')
  t.ok(performance.now() - start >= 299)
  on({ kind: 'throttle' })
  t.match(await failureOf(client.getSecret('name')), { status: 429 })
  t.ok(performance.now() - start >= 598)
})

void t.test('fault hold: waits until it is switched off, then answers with the values of that moment', async (t) => {
  const vault = fixture.emulator.vault('my-kv')
  for (const times of [1, undefined]) {
    vault.setSecret('name', 'before')
    const { remove } = on({ kind: 'hold' }, { operation: 'secrets.get' }, times)
    let isAnswered = false
    const held = client.getSecret('name').finally(() => (isAnswered = true))
    await names()
    t.notOk(isAnswered, 'another request is not held')
    vault.setSecret('name', 'after')
    remove()
    t.equal((await held).value, 'after')
  }
  vault.setSecret('name', 'value')
})

void t.test('fault unauthorized: 401 with a challenge for a valid token', async (t) => {
  on({ kind: 'unauthorized' })
  t.match(await failureOf(client.getSecret('name')), { status: 401, code: 'Unauthorized' })
  t.match(fixture.last?.headers.get('www-authenticate'), /^Bearer authorization=/)
})

void t.test('fault wrong-tenant: the challenge names another tenant, which the SDK reports', async (t) => {
  on({ kind: 'wrong-tenant', tenant: 'another-tenant' })
  t.equal((await client.getSecret('name')).value, 'value', 'nothing changes for a client that has its token')
  const { message } = await failureOf(fixture.secrets('my-kv').getSecret('name'))
  t.match(message, /tenant .*another-tenant/)
})

void t.test('fault list-lag: lists show the past, and reads are up to date', async (t) => {
  const vault = fixture.emulator.vault('lagging')
  const lagging = fixture.secrets('lagging')
  const listed = async () => {
    const found: Record<string, unknown> = {}
    for await (const one of lagging.listPropertiesOfSecrets()) found[one.name] = [one.updatedOn?.getTime(), one.enabled]
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
})

void t.test('fault redirect: the response redirects to another URL', async (t) => {
  const location = 'https://other.vault.localhost:1/'
  on({ kind: 'redirect', location })
  await failureOf(client.getSecret('name'))
  t.equal(fixture.last?.status, 307)
  t.equal(fixture.last?.headers.get('location'), location)
})

void t.test('fault next-link: the next page is on another host or is the same page', async (t) => {
  fixture.emulator.vault('other-host').setSecret('bait', 'x')
  const to = `${fixture.emulator.url('other-host')}secrets?api-version=7.6`
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

void t.test('fault empty-page: a page without items has a next link', async (t) => {
  on({ kind: 'empty-page' }, { operation: 'secrets.list' }, 1)
  fixture.emulator.journal.reset()
  t.strictSame(await names(), ['name'])
  t.equal(fixture.emulator.journal.count('secrets.list'), 2)
})

void t.test('faults aadsts, throttle and status apply to the token endpoint', async (t) => {
  const cases = [
    [{ kind: 'aadsts', code: 70021 }, /AADSTS70021/],
    [{ kind: 'throttle', retryAfter: 3 }, /AADSTS90055/],
    [{ kind: 'status', status: 503, body: {} }, /./],
  ] as const
  for (const [fault, message] of cases) {
    on(fault, { operation: 'token' }, 1)
    const fresh = fixture.secrets('my-kv')
    t.match((await failureOf(fresh.getSecret('name'))).message, message)
    t.equal((await fixture.secrets('my-kv').getSecret('name')).value, 'value', 'and then it is over')
  }
})

void t.test('faults: a fault applies only to matching requests, and only as often as it says', async (t) => {
  fixture.emulator.vault('other-kv').setSecret('name', 'other')
  const fault = { kind: 'status', status: 500 } as const
  const other = fixture.secrets('other-kv')
  on(fault, { vault: 'other-*', object: 'NAME' }, 2)
  t.equal((await client.getSecret('name')).value, 'value')
  t.match(await failureOf(other.getSecret('name')), { status: 500 })
  t.match(fixture.emulator.faults.list(), [{ times: 1 }])
  t.match(await failureOf(other.getSecret('name')), { status: 500 })
  t.equal((await other.getSecret('name')).value, 'other')
  t.strictSame(fixture.emulator.faults.list(), [])

  for (const status of [500, 502]) on({ kind: 'status', status }, { object: 'name' }, 1)
  t.match(await failureOf(client.getSecret('name')), { status: 500 })
  t.match(await failureOf(client.getSecret('name')), { status: 502 }, 'one at a time')

  on(fault, { client: fixture.clientId, operation: '*.list' })
  t.match(await failureOf(names()), { status: 500 })
  t.equal((await client.getSecret('name')).value, 'value')
  on(fault, { client: 'somebody else' })
  t.equal((await client.getSecret('name')).value, 'value')
})

void t.test('faults: above is a limit in a sliding window, like the limits of the service', async (t) => {
  const above = { requests: 3, window: 10_000 }
  fixture.emulator.fault({ match: { vault: 'my-kv' }, fault: { kind: 'throttle' }, above })
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

void t.test('faults: a fault applies to the challenge only if the match names it', async (t) => {
  on({ kind: 'status', status: 500 }, {}, 1)
  fixture.emulator.journal.reset()
  t.match(await failureOf(fixture.secrets('my-kv').getSecret('name')), { status: undefined })
  fixture.emulator.faults.clear()
  for (const challenge of [true, 'any'] as const) {
    on({ kind: 'status', status: 502 }, { operation: 'secrets.*', challenge })
    t.match(await failureOf(fixture.secrets('my-kv').getSecret('name')), { status: 502 })
    fixture.emulator.faults.clear()
  }
})
