import { request } from 'node:https'
import t from 'tap'
import { maxParts } from '../../shared/coordination/limits.ts'
import { stateLines } from '../../shared/coordination/pod-state.ts'
import { formatReport, snapshotLines } from '../../shared/coordination/reports.ts'
import { makeIssuer } from '../emulator/issuer.ts'
import { until } from '../support/until.ts'
import { listening, vaultUrl } from './scene.ts'

void t.test('sessions: a write is told to the sidecars that serve the object, over TLS', async (t) => {
  const { vault, session, old } = await listening(t)
  const version = vault.set('a', '1')
  old()
  const [one, other] = [await session(), await session()]
  one.connection.send(snapshotLines(1, [{ vault: vaultUrl, type: 'secret', name: 'a', version }])[0]!)
  await until('it is covered', () => one.events.some((event) => event.name === 'coverage'))
  await until('a heartbeat acknowledges the snapshot', () =>
    one.events.some((event) => event.name === 'heartbeat' && event.snapshot === 1 && event.looks.length === 1),
  )
  const newer = vault.set('a', '2')
  const change = await until('the change', () => one.events.find((event) => event.name === 'change'))
  t.match(change, { changes: [{ vault: vaultUrl, name: 'a', version: newer }] })
  t.notOk(other.events.some((event) => event.name === 'change' || event.name === 'coverage'))
})

void t.test('sessions: only a token of the cluster, for a group, of a pod opens one', async (t) => {
  const { session, token, issuer, refused, coordinator } = await listening(t)
  const forged = makeIssuer({ issuer: issuer.issuer })
  const audience = 'akv-injector-coordinator/deployment/web'
  const [header, body] = (await token()).split('.')
  const tokens: [name: string, token: string][] = [
    ['signed by another key', await forged.token({ audience })],
    ['for another audience', await token({ audience: 'api://AzureADTokenExchange' })],
    ['for no group', await token({ audience: 'akv-injector-coordinator/' })],
    ['for two audiences', await token({ claims: { aud: [audience, 'other'] } })],
    ['expired', await token({ expiresIn: -60 })],
    ['of another issuer', await token({ claims: { iss: 'https://other.example' } })],
    ['of no pod', await token({ claims: { 'kubernetes.io': { namespace: 'shop' } } })],
    ['without a signature', `${header}.${body}.`],
    ['without an algorithm', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`],
    ['no token', 'x'],
  ]
  for (const [name, bad] of tokens) {
    const { state } = await session({ token: bad })
    t.equal(state.end?.status, 401, name)
  }
  t.equal(coordinator.sessions.size, 0)
  t.equal(refused.length, tokens.length)
  t.ok((await session()).state.isOpen)
})

void t.test("sessions: unknown keys do not make the coordinator read the cluster's keys again and again", async (t) => {
  const { session, issuer, keyReads } = await listening(t)
  const forged = makeIssuer({ issuer: issuer.issuer })
  const bad = await forged.token({ audience: 'akv-injector-coordinator/deployment/web' })
  for (let attempt = 0; attempt < 10; attempt++) await session({ token: bad })
  t.ok(keyReads() <= 2, `${keyReads()} reads`)
})

void t.test('sessions: a new session of a pod ends its earlier one', async (t) => {
  const { session, token, coordinator } = await listening(t)
  const own = await token()
  const [one, two] = [await session({ token: own }), await session({ token: own })]
  await until('the earlier one ends', () => one.state.end)
  t.equal(two.state.end, undefined)
  t.equal(coordinator.sessions.size, 1)
})

void t.test('sessions: one too many is told when to come back', async (t) => {
  const { session, coordinator, refused } = await listening(t, { sessionLimit: 2 })
  await session()
  await session()
  const { state } = await session()
  t.match(state.end, { status: 503, retryAfterMs: 600_000 })
  t.strictSame([coordinator.sessions.size, refused], [2, ['full']])
})

void t.test('sessions: what a sidecar must not send ends its session and no other', async (t) => {
  const { session, ended, vault, old } = await listening(t)
  const version = vault.set('a', '1')
  old()
  const good = await session()
  good.connection.send(snapshotLines(1, [{ vault: vaultUrl, type: 'secret', name: 'a', version }])[0]!)
  await until('it is covered', () => good.events.some((event) => event.name === 'coverage'))
  const snapshot = { type: 'snapshot' as const, number: 1, objects: [] }
  const attacks: [name: string, send: (write: (text: string) => void) => void, reason: string][] = [
    ['no JSON', (write) => write('hello\n'), 'malformed'],
    ['a line without end', (write) => Array.from({ length: 40 }, () => write('x'.repeat(1_000))), 'malformed'],
    ['a flood', (write) => write('{"type":"seen","heartbeat":1}\n'.repeat(500)), 'flooded'],
    ['a flood of unknown types', (write) => write('{"type":"x"}\n'.repeat(500)), 'flooded'],
    ['a part out of its order', (write) => write(formatReport({ ...snapshot, part: 1, parts: 2 })), 'malformed'],
    [
      'too many parts',
      (write) => write(`{"type":"snapshot","number":1,"part":0,"parts":${maxParts + 1},"objects":[]}\n`),
      'malformed',
    ],
    ['a number again', (write) => write(formatReport({ ...snapshot, part: 0, parts: 1 }).repeat(2)), 'malformed'],
  ]
  for (const [name, send, reason] of attacks) {
    const { connection, state } = await session()
    send((text) => connection.send(text))
    await until(name, () => state.end)
    t.equal(ended.at(-1), reason, name)
  }
  vault.set('a', '2')
  await until('the good session is told', () => good.events.some((event) => event.name === 'change'))
  t.equal(good.state.end, undefined)
})

void t.test('sessions: what a sidecar reports is about its own pod, whatever it writes', async (t) => {
  const { session, token, coordinator } = await listening(t)
  const [victim, forger] = [
    await session({ token: await token({ pod: 'web-0' }) }),
    await session({ token: await token({ pod: 'web-1' }) }),
  ]
  const pod = { isServing: true, isSuspended: false }
  const object = { vault: vaultUrl, type: 'secret' as const, name: 'a', isPinned: false, notified: 'yes' as const }
  const [line = ''] = stateLines(1, { ...pod, objects: [{ ...object, version: 'v1' }] })
  victim.connection.send(line)
  const known = () =>
    Array.from(coordinator.rotations.pods(), ({ identity, objects }) => [identity.pod, ...objects.values()])
  await until('it is known', () => known().length === 1)
  const stolen = JSON.parse(line.replace('v1', 'v2')) as object
  const forged = { ...stolen, pod: 'web-0', uid: 'x', identity: { pod: 'web-0' } }
  forger.connection.send(`${JSON.stringify(forged)}\n`)
  await until('it is known', () => known().length === 2)
  t.match(known(), [
    ['web-0', { version: 'v1' }],
    ['web-1', { version: 'v2' }],
  ])
  forger.connection.send('{"type":"state","number":2}\n')
  await until('it is ended', () => forger.state.end)
  t.equal(victim.state.end, undefined)
  await until('it is lost', () => [...coordinator.rotations.pods()].at(-1)?.lostAt !== undefined)
  t.equal(coordinator.rotation('my-kv', 'a').objects[0]?.total, 2, 'and not forgotten')
})

void t.test('sessions: a sidecar that says that it leaves is not lost', async (t) => {
  const { session, ended, coordinator } = await listening(t)
  const { connection } = await session()
  const object = { vault: vaultUrl, type: 'secret' as const, name: 'a', isPinned: false, notified: 'yes' as const }
  for (const line of stateLines(1, { isServing: true, isSuspended: false, objects: [object] })) connection.send(line)
  await until('it is known', () => coordinator.rotations.size === 1)
  connection.leave(formatReport({ type: 'leaving' }))
  await until('it is forgotten', () => coordinator.rotations.size === 0)
  t.strictSame(ended, ['left'])
})

void t.test('sessions: end with their token, unless a newer one of the same pod comes', async (t) => {
  const { session, token, ended } = await listening(t)
  const uid = 'b7b5a8a2-0000-4000-8000-000000000001'
  const claims = (pod: string) => ({
    'kubernetes.io': { namespace: 'shop', pod: { name: 'web', uid: pod }, serviceaccount: { name: 'web', uid: 'x' } },
  })
  const short = await session({ token: await token({ expiresIn: 2, claims: claims(uid) }) })
  const longer = await session({ token: await token({ expiresIn: 2, claims: claims(`${uid}-2`) }) })
  longer.connection.send(formatReport({ type: 'token', token: await token({ claims: claims(`${uid}-2`) }) }))
  const stolen = await session({ token: await token({ expiresIn: 2, claims: claims(`${uid}-3`) }) })
  stolen.connection.send(formatReport({ type: 'token', token: await token({ claims: claims(uid) }) }))
  await until('both without a token of their own end', () => short.state.end && stolen.state.end)
  t.strictSame(ended, ['expired', 'expired'])
  t.equal(longer.state.end, undefined)
})

void t.test('sessions: a sidecar that is silent or does not read is given up', async (t) => {
  const { url, cert, token, ended, coordinator } = await listening(t)
  const silent = request(`${url}/v1/session`, {
    ...{ method: 'POST', ca: cert, headers: { authorization: `Bearer ${await token()}` } },
  })
  silent.on('error', () => undefined)
  silent.flushHeaders()
  await until('it is gone', () => ended.length > 0)
  t.strictSame(ended, ['silent'])
  t.equal(coordinator.sessions.size, 0)
})

void t.test('sessions: a coordinator that ends says goodbye', async (t) => {
  const { session, coordinator } = await listening(t)
  const { state, events } = await session()
  await coordinator.close()
  await until('the session ends', () => state.end)
  t.match(events.at(-1), { name: 'goodbye', retryAfterMs: 1_000 })
})

void t.test('sessions: everything else is refused, probes and metrics are not', async (t) => {
  const { url, cert } = await listening(t)
  const status = (path: string, method: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(url + path, { ca: cert, method, agent: false }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
        .on('error', reject)
        .end()
    })
  t.strictSame(
    [await status('/livez', 'GET'), await status('/readyz', 'GET'), await status('/metrics', 'GET')],
    [200, 200, 200],
  )
  t.strictSame(
    [await status('/v1/session', 'GET'), await status('/v1/session', 'POST'), await status('/', 'PUT')],
    [404, 401, 404],
  )
})
