import t from 'tap'
import { VaultFailure } from '../../../../shared/vault/store.ts'
import { failure } from '../fixture.ts'
import { down, grant, hour, minute, scope, stand, tenantId } from './credential-fixture.ts'

void t.test('credential: the SDK requests a token for each call and refreshes none by itself', async (t) => {
  const { credential, exchanges } = stand({ answer: grant })
  for (let i = 0; i < 3; i++) {
    const token = await credential.getToken([scope], { enableCae: true, tenantId })
    t.strictSame(token, { token: 'token-1', expiresOnTimestamp: 0 })
  }
  t.equal(exchanges(), 1)
})

void t.test('credential: four concurrent requests share one exchange and its failure', async (t) => {
  const { token, open } = stand()
  const four = [token(), token(), token(), token()]
  t.equal(open.length, 1)
  open[0]!.resolve(grant(1))
  t.strictSame(await Promise.all(four), ['token-1', 'token-1', 'token-1', 'token-1'])

  const other = stand()
  const failing = [other.token(), other.token()].map((one) => failure(one))
  t.equal(other.open.length, 1)
  other.open[0]!.reject(down())
  for (const one of failing) t.equal((await one).kind, 'sign-in-unavailable')
})

void t.test('credential: a sign-in that began before is the one of the first request', async (t) => {
  const { credential, token, open } = stand()
  credential.begin(scope)
  credential.begin(scope)
  t.equal(open.length, 1)
  open[0]!.resolve(grant(1))
  await settled()
  t.strictSame([await token(), await token()], ['token-1', 'token-1'])
  credential.begin(scope)
  t.equal(open.length, 1, 'there is a token')

  const other = stand({ answer: (count) => (count === 1 ? down() : grant(count)), random: 0 })
  other.credential.begin(scope)
  await settled()
  t.match(await failure(other.token()), { message: 'down' }, 'its failure is given out')
  t.equal(other.exchanges(), 1)
  t.equal(await other.token(), 'token-2', 'once')

  const late = stand({ answer: (count) => (count === 1 ? down() : grant(count)), random: 0 })
  late.credential.begin(scope)
  await settled()
  late.credential.begin(scope)
  t.equal(late.exchanges(), 1, 'after a failure, it is for the next request to try again')
  t.equal(await late.token(), 'token-2', 'an earlier failure is not given out then')
})

void t.test('credential: each scope has its own token', async (t) => {
  const { credential } = stand({ answer: grant })
  t.equal((await credential.getToken('https://a/.default'))!.token, 'token-1')
  t.equal((await credential.getToken('https://b/.default'))!.token, 'token-2')
  t.equal((await credential.getToken('https://a/.default'))!.token, 'token-1')
})

void t.test('credential: a token is renewed early, in the background', async (t) => {
  for (const [name, refreshIn, random, at] of [
    ['from half of its life on', undefined, 0, hour / 2],
    ['spread', undefined, 1, hour * 0.7],
    ['when the service says so', 10 * minute, 0, 10 * minute],
  ] as const) {
    const { clock, token, open, signIns } = stand({ random })
    const first = token()
    open[0]!.resolve({ ...grant(1), ...(refreshIn !== undefined && { refreshInMs: refreshIn }) })
    await first
    clock.now += at - 1
    t.equal(await token(), 'token-1')
    t.equal(open.length, 1, `${name}: not before`)
    clock.now += 1
    t.equal(await token(), 'token-1', `${name}: no caller waits`)
    t.equal(await token(), 'token-1')
    t.equal(open.length, 2, `${name}: one exchange`)
    open[1]!.resolve(grant(2))
    await settled()
    t.equal(await token(), 'token-2', name)
    t.match(signIns, [
      { outcome: 'success', ahead: false },
      { outcome: 'success', ahead: true },
    ])
  }
})

void t.test('credential: an outage of the sign-in service is hidden while the token is valid', async (t) => {
  const { clock, token, signIns, exchanges } = stand({
    answer: (count) => (count === 1 || count > 5 ? grant(count) : down()),
  })
  await token()
  clock.now += hour / 2 + hour / 5
  t.equal(await token(), 'token-1', 'costs nothing while the token is good')
  await settled()
  t.match(signIns.at(-1), { outcome: 'sign-in-unavailable', ahead: true, message: 'down' })
  t.equal(await token(), 'token-1')
  t.equal(exchanges(), 2, 'the next attempt waits: half of a second at random 0.5')
  clock.now += 499
  await token()
  t.equal(exchanges(), 2)
  clock.now += 1
  await token()
  await settled()
  t.equal(exchanges(), 3)

  clock.now += hour / 2
  t.equal((await failure(token())).message, 'down', 'past expiry it reaches the caller')
  t.equal(exchanges(), 4)
  const postponed = await failure(token())
  t.equal(exchanges(), 4, 'a second call at once sends no request')
  t.match(postponed, {
    kind: 'sign-in-unavailable',
    retryAfter: 2000,
    message: /^down \(next sign-in in 2 s\)$/,
  })
  clock.now += 2000
  await t.rejects(token())
  t.equal(exchanges(), 5)
  clock.now += 4000
  t.equal(await token(), 'token-6', 'and it is over when it is over')
  t.equal(await token(), 'token-6')
})

void t.test('credential: throttling by the sign-in service has its own failure', async (t) => {
  const { token, signIns } = stand({ answer: () => down({ status: 429 }) })
  t.match(await failure(token()), { kind: 'sign-in-unavailable' })
  t.match(signIns, [{ outcome: 'throttled' }])
})

void t.test('credential: failures are retried after growing random delays, or after Retry-After', async (t) => {
  const waits = async (random: number, details = {}, times = 1) => {
    const { clock, token } = stand({ random, answer: () => down(details) })
    for (let i = 0; i < times; i++) {
      await failure(token())
      clock.now += (await failure(token())).retryAfter ?? 0
    }
    await failure(token())
    return (await failure(token())).retryAfter
  }
  t.equal(await waits(0.9, {}, 20), minute * 0.9, 'at most a minute')
  t.equal(await waits(0.5, {}, 3), 4000, 'twice as long each time, in the mean')
  t.equal(await waits(0.5, { retryAfter: 120_000 }), 120_000, 'as long as the service asks')
  t.equal(await waits(0.5, { retryAfter: 7200_000 }), 15 * minute, 'but no more than 15 minutes')
})

void t.test('credential: jumps of the wall clock change nothing', async (t) => {
  const { clock, token, exchanges } = stand({
    random: 1,
    answer: (count) => (count === 2 ? down({ retryAfter: 600_000 }) : grant(count)),
  })
  await token()
  clock.now -= 24 * hour
  await failure(token())
  t.equal(exchanges(), 2, 'set back: how old the token is cannot be known')
  clock.now -= 24 * hour
  t.equal(await token(), 'token-3', 'a wait does not grow')
  clock.now += 365 * 24 * hour
  t.equal(await token(), 'token-4', 'set ahead: the token seems to have expired')
})

void t.test('credential: a clock jump during a sign-in makes its duration neither long nor negative', async (t) => {
  for (const jump of [hour, -hour]) {
    const { clock, token, open, signIns } = stand()
    const first = token()
    clock.now += jump
    open[0]!.resolve(grant(1))
    await first
    t.ok(signIns[0]!.durationMs > 0 && signIns[0]!.durationMs < hour)
  }
})

void t.test('credential: a token is not used in its last minute, or the last tenth of a short life', async (t) => {
  for (const [lifetime, used] of [
    [hour, hour - minute],
    [10_000, 9000],
  ] as const) {
    const { clock, token } = stand({
      random: 1,
      answer: (count) => ({ token: `${count}`, lifetimeMs: lifetime, refreshInMs: lifetime }),
    })
    await token()
    clock.now += used - 1
    t.equal(await token(), '1')
    clock.now += 1
    t.equal(await token(), '2')
  }
})

void t.test('credential: a rejected token is replaced by signing in, within the budget', async (t) => {
  const { credential, token, exchanges, clock } = stand({ answer: (count) => (count === 3 ? down() : grant(count)) })
  const budget = { left: 1 }
  t.equal(await credential.replace('token-1', budget), undefined, 'one that is not known')
  await token()
  t.strictSame(
    await Promise.all([credential.replace('token-1', budget), credential.replace('token-1', budget)]),
    ['token-2', 'token-2'],
    'two who were refused share one',
  )
  t.equal(budget.left, 0)
  t.equal(await credential.replace('token-1', budget), 'token-2', 'a late one gets what is there')
  t.equal(await credential.replace('token-2', budget), undefined, 'no more than once')
  t.equal(await token(), 'token-2')
  t.equal(exchanges(), 2)

  budget.left = 1
  t.equal((await failure(credential.replace('token-2', budget))).kind, 'sign-in-unavailable')
  t.equal(await token(), 'token-2', 'for others it may still be good')
  budget.left = 1
  t.match(await failure(credential.replace('token-2', budget)), { retryAfter: 500 }, 'back-off counts here too')
  clock.now += 500
  budget.left = 1
  t.equal(await credential.replace('token-2', budget), 'token-4')
})

void t.test('credential: a federated credential that was just created is retried', async (t) => {
  const refused = (code: string) => new VaultFailure('sign-in', 'm', { code })
  for (const [name, code, kind] of [
    ['no record at all', 'AADSTS70021', 'sign-in-unavailable'],
    ['of another subject', 'AADSTS700213', 'sign-in-unavailable'],
    ['a fresh identity', 'AADSTS700016', 'sign-in-unavailable'],
    ['a wrong secret', 'AADSTS7000215', 'sign-in'],
    ['an unknown tenant', 'AADSTS90002', 'sign-in'],
  ] as const) {
    const { token, clock, signIns } = stand({ random: 0, answer: () => refused(code) })
    t.equal((await failure(token())).kind, kind, name)
    t.match(signIns, [{ outcome: kind, code }])
    clock.now += minute + 1
    t.equal((await failure(token())).kind, 'sign-in', `${name}, a minute later`)
  }
  const { token, clock } = stand({
    answer: (count) => (count === 1 ? { token: 'short', lifetimeMs: 10_000 } : refused('AADSTS70021')),
  })
  await token()
  clock.now += 20_000
  t.equal((await failure(token())).kind, 'sign-in', 'one that has worked does not spread any more')
})

void t.test("credential: a vault's challenge for another tenant is refused", async (t) => {
  const other = '11111111-2222-4333-8444-555555555555'
  const { credential, exchanges } = stand({ answer: grant })
  const mismatch = await failure(credential.getToken(scope, { tenantId: other }))
  t.match(mismatch, { kind: 'sign-in', code: 'TenantMismatch' })
  for (const part of [other, tenantId, 'azure.keyvault.injector/tenant-id', 'tenantID'])
    t.ok(mismatch.message.includes(part), part)
  t.equal(exchanges(), 0, 'no request is sent')
  t.ok(await credential.getToken(scope, { tenantId: tenantId.toUpperCase() }), 'case does not matter')
  t.ok(await credential.getToken(scope, { tenantId: 'contoso.onmicrosoft.com' }), 'a name cannot be compared')
})

/** Lets a background renewal come to its end. */
const settled = () => new Promise((resolve) => setImmediate(resolve))
