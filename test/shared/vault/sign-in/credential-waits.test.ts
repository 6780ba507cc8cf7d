import t from 'tap'
import { realClock } from '../../../../shared/clock.ts'
import { createCachingCredential } from '../../../../shared/vault/sign-in/credential.ts'
import { failure } from '../fixture.ts'
import { down, grant, hour, scope, stand, tenantId } from './credential-fixture.ts'

void t.test('credential: after a success, the next failure waits as briefly as the first', async (t) => {
  const { clock, token } = stand({
    answer: (count) => (count === 4 ? { token: 'short', lifetimeMs: 10_000 } : down()),
  })
  for (let failures = 1; failures <= 3; failures++) {
    await failure(token())
    clock.now += (await failure(token())).retryAfter ?? 0
  }
  t.equal(await token(), 'short')
  clock.now += 20_000
  await failure(token())
  t.equal((await failure(token())).retryAfter, 500)
})

void t.test('credential: after a success, no earlier wait counts, however the clock jumps', async (t) => {
  const { clock, token, exchanges } = stand({
    answer: (count) => (count === 1 ? down({ retryAfter: 600_000 }) : { token: `${count}`, lifetimeMs: 10_000 }),
  })
  await failure(token())
  clock.now -= hour
  t.equal(await token(), '2')
  clock.now += hour + 1_000
  t.equal(await token(), '3', 'the clock is right again')
  t.equal(exchanges(), 3)
})

void t.test('credential: who comes while a sign-in runs shares it, although the clock was set back', async (t) => {
  const { clock, token, open } = stand()
  const first = failure(token())
  open[0]!.reject(down({ retryAfter: 60_000 }))
  await first
  clock.now += 60_000
  const second = token()
  clock.now -= 10_000
  const third = token()
  open[1]!.resolve(grant(2))
  t.strictSame(await Promise.all([second, third]), ['token-2', 'token-2'])
})

void t.test('credential: an exchange that never ends is aborted', async (t) => {
  const credential = createCachingCredential({
    exchange: (_scope, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(down()))
      }),
    identity: 'c1',
    tenantId,
    clock: realClock,
    random: () => 0.5,
    onSignIn: () => undefined,
    timeoutMs: 10,
  })
  // Timers of abort signals do not keep the process running.
  const alive = setInterval(() => undefined, 1_000)
  t.teardown(() => clearInterval(alive))
  t.match(await failure(credential.getToken(scope)), { kind: 'sign-in-unavailable' })
})

void t.test('credential: which tenants can be compared', async (t) => {
  const guid = '11111111-2222-4333-8444-555555555555'
  for (const [own, wanted, isMismatch] of [
    ['adfs', guid, true],
    [guid, 'adfs', true],
    ['ADFS', 'adfs', false],
    ['contoso.onmicrosoft.com', guid, false],
    [guid, 'contoso.onmicrosoft.com', false],
    ['contoso.onmicrosoft.com', 'fabrikam.onmicrosoft.com', false],
    [undefined, guid, false],
    [guid, undefined, false],
  ] as const) {
    const { credential } = stand({ answer: grant, tenant: own })
    const result = credential.getToken(scope, wanted === undefined ? {} : { tenantId: wanted })
    if (isMismatch) t.match(await failure(result), { code: 'TenantMismatch' }, `${own} ${wanted}`)
    else t.ok(await result, `${own} ${wanted}`)
  }
})
