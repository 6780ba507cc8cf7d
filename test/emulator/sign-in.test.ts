import t from 'tap'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultTenant } from './emulator.ts'
import { ask } from './https.ts'
import { makeIssuer } from './issuer.ts'
import { startFixture, type CredentialOptions, type EmulatorFixture } from './sdk.ts'
import { makeAuthority } from './tls.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const scope = 'https://vault.localhost/.default'

let fixture: EmulatorFixture
t.before(async () => {
  fixture = await startFixture()
})
t.teardown(() => fixture.end())

/** What Entra ID's answer says to a sign-in that is refused, as MSAL hands it on. */
async function refusal(options: CredentialOptions) {
  try {
    await fixture.credential(options).getToken(scope)
  } catch (error) {
    const { errorCode, errorNo, errorMessage, status } = (error as { cause: ServerError }).cause
    return { status, error: errorCode, no: errorNo, code: /AADSTS\d+/.exec(errorMessage)?.[0] }
  }
  throw new Error('The sign-in succeeded.')
}

interface ServerError {
  errorCode: string
  errorNo: number
  errorMessage: string
  status: number
}

void t.test('emulator sign-in: a valid ServiceAccount token is exchanged and its claims are recorded', async (t) => {
  for (const algorithm of ['ES256', 'RS256'] as const) {
    const issuer = makeIssuer({ issuer: `https://${algorithm}.example`, algorithm })
    fixture.emulator.trust(issuer)
    fixture.emulator.federate({
      clientId: fixture.clientId,
      issuer: issuer.issuer,
      subject: 'system:serviceaccount:shop:*',
    })
    const token = await fixture
      .credential({ token: await issuer.token({ namespace: 'shop', serviceAccount: 'web' }) })
      .getToken(scope)
    t.ok(token.expiresOnTimestamp > Date.now() + 3500_000)
    const claims = {
      tenant: defaultTenant,
      client: fixture.clientId,
      iss: issuer.issuer,
      aud: ['api://AzureADTokenExchange'],
    }
    const seen = fixture.emulator.seen.at(-1)
    t.match(seen, { ...claims, sub: 'system:serviceaccount:shop:web', verified: true, outcome: 'issued' })
    t.notMatch(JSON.stringify(seen), /eyJ/, 'but not the token')
  }
})

const aadsts: [name: string, options: () => Promise<CredentialOptions>, code: number, status: number, error: string][] =
  [
    ['another key than the issuer’s', async () => ({ token: await forged() }), 700027, 401, 'invalid_client'],
    [
      'another issuer',
      async () => ({ token: await makeIssuer({ issuer: 'https://other.example' }).token() }),
      70021,
      400,
      'invalid_request',
    ],
    [
      'another audience',
      async () => ({ token: await fixture.issuer.token({ audience: 'https://kubernetes.default.svc' }) }),
      700212,
      401,
      'invalid_client',
    ],
    [
      'another subject',
      async () => ({ token: await fixture.issuer.token({ claims: { sub: 'repo:shop/web' } }) }),
      70021,
      400,
      'invalid_request',
    ],
    [
      'an expired token',
      async () => ({ token: await fixture.issuer.token({ expiresIn: -1 }) }),
      700024,
      401,
      'invalid_client',
    ],
    ['a token from the future', async () => ({ token: await fromTheFuture() }), 700024, 401, 'invalid_client'],
    [
      'no expiry',
      async () => ({ token: await fixture.issuer.token({ claims: { exp: undefined } }) }),
      700024,
      401,
      'invalid_client',
    ],
    ['not a token', async () => ({ token: 'nonsense' }), 50027, 400, 'invalid_request'],
    ['the algorithm none', async () => ({ token: await unsigned() }), 700027, 401, 'invalid_client'],
    ['an unknown client', async () => ({ clientId: randomUUID() }), 700016, 400, 'unauthorized_client'],
  ]

/** A token that claims to be the issuer's, down to the key id. */
async function forged() {
  const [header, payload] = (await fixture.issuer.token()).split('.')
  return [header, payload, (await makeIssuer().token()).split('.')[2]].join('.')
}

const fromTheFuture = () => fixture.issuer.token({ claims: { nbf: Math.floor(Date.now() / 1000) + 600 } })

async function unsigned() {
  const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url')
  return `${header}.${(await fixture.issuer.token()).split('.')[1]}.`
}

for (const [name, options, code, status, error] of aadsts)
  void t.test(`emulator sign-in: AADSTS${code} for ${name}`, async (t) => {
    t.match(await refusal(await options()), { status, error, no: code, code: `AADSTS${code}` })
    t.match(fixture.emulator.seen.at(-1), { outcome: `AADSTS${code}` })
  })

void t.test('emulator sign-in: an unknown tenant has no metadata and issues no tokens', async (t) => {
  await t.rejects(fixture.credential({ tenantId: randomUUID() }).getToken(scope), /openid_config|endpoints_resolution/)
  const { authorityHost, ca } = fixture.emulator
  const answer = await ask(`${authorityHost}${randomUUID()}/oauth2/v2.0/token`, { method: 'POST', ca, body: {} })
  t.match(answer, { status: 400, body: /AADSTS90002/ })
})

void t.test('emulator sign-in: a token of one tenant is not accepted by the vaults of another', async (t) => {
  const tenant = randomUUID()
  const clientId = randomUUID()
  fixture.emulator.federate({ tenant, clientId, issuer: fixture.issuer.issuer, subject: '*' })
  t.match(await refusal({ clientId }), { code: 'AADSTS700016' })
  const token = await fixture.credential({ tenantId: tenant, clientId }).getToken(scope)
  t.match(await fixture.emulator.tokens.check(token.token, tenant, 'https://vault.localhost'), { tid: tenant })
  t.match(await fixture.emulator.tokens.check(token.token, defaultTenant, 'https://vault.localhost'), 'Invalid issuer')
})

void t.test('emulator sign-in: OpenID Connect scopes beside the resource are ignored, as Entra ID does', async (t) => {
  const { authorityHost, ca, tenant } = fixture.emulator
  const signIn = async (scope: string) => {
    const form = {
      client_id: fixture.clientId,
      scope,
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await fixture.issuer.token(),
    }
    return ask(`${authorityHost}${tenant}/oauth2/v2.0/token`, { method: 'POST', ca, form })
  }
  for (const scopes of [`${scope} openid offline_access profile`, `openid  profile ${scope}`, scope]) {
    const answer = await signIn(scopes)
    t.equal(answer.status, 200, scopes)
    const { access_token: token } = JSON.parse(answer.body) as { access_token: string }
    t.match(await fixture.emulator.tokens.check(token, tenant, 'https://vault.localhost'), {
      aud: 'https://vault.localhost',
    })
  }
  for (const scopes of ['openid profile', `${scope} https://other.localhost/.default`, `${scope} User.Read`, ''])
    t.match(await signIn(scopes), { status: 400, body: /AADSTS70011/ }, `refused: ${scopes}`)
})

void t.test('emulator sign-in: lifetime and refresh_in follow the options', async (t) => {
  const short = await startFixture({ tokenLifetime: 7, refreshIn: 3 })
  t.teardown(() => short.end())
  const start = Date.now()
  const { expiresOnTimestamp, refreshAfterTimestamp } = await short.credential().getToken(scope)
  t.ok(Math.abs(expiresOnTimestamp - start - 7000) < 2000)
  t.ok(Math.abs((refreshAfterTimestamp ?? 0) - start - 3000) < 2000)
})

void t.test(
  'emulator sign-in: the keys of an issuer are read from a file or a URL, and again when they change',
  async (t) => {
    const folder = temporaryFolder(t)
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content)
      return join(folder, name)
    }
    const authority = makeAuthority()
    let published = makeIssuer({ issuer: 'https://cluster.example' })
    const server = createServer(authority.issue(), (request, response) => {
      const allowed = request.headers.authorization === 'Bearer pod-token'
      response.writeHead(allowed ? 200 : 401).end(allowed ? JSON.stringify(published.jwks) : '{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const url = `https://localhost:${(server.address() as AddressInfo).port}/openid/v1/jwks`
    const caFile = file('ca.crt', authority.ca)
    fixture.emulator.trust({ issuer: published.issuer, jwks: { url, caFile, tokenFile: file('token', 'pod-token\n') } })
    fixture.emulator.federate({ clientId: fixture.clientId, issuer: published.issuer, subject: '*' })
    t.ok(await fixture.credential({ token: await published.token() }).getToken(scope))
    published = makeIssuer({ issuer: published.issuer })
    t.ok(await fixture.credential({ token: await published.token() }).getToken(scope), 'after a rotation of the keys')

    const other = makeIssuer({ issuer: 'https://file.example' })
    fixture.emulator.trust({ issuer: other.issuer, jwks: { file: file('jwks.json', JSON.stringify(other.jwks)) } })
    fixture.emulator.federate({ clientId: fixture.clientId, issuer: other.issuer, subject: '*' })
    t.ok(await fixture.credential({ token: await other.token() }).getToken(scope))
  },
)
