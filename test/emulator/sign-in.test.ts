import t from 'tap'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultTenant } from './emulator.ts'
import { ask } from './https.ts'
import { makeIssuer } from './issuer.ts'
import { startStage, type CredentialOptions, type Stage } from './sdk.ts'
import { makeAuthority } from './tls.ts'

const scope = 'https://vault.localhost/.default'

let stage: Stage
t.before(async () => {
  stage = await startStage()
})
t.teardown(() => stage.end())

/** What Entra ID's answer says to a sign-in that is refused, as MSAL hands it on. */
async function refusal(options: CredentialOptions) {
  try {
    await stage.credential(options).getToken(scope)
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

void t.test('a good ServiceAccount token is exchanged, and what it said is on record', async (t) => {
  for (const algorithm of ['ES256', 'RS256'] as const) {
    const issuer = makeIssuer({ issuer: `https://${algorithm}.example`, algorithm })
    stage.emulator.trust(issuer)
    stage.emulator.federate({
      clientId: stage.clientId,
      issuer: issuer.issuer,
      subject: 'system:serviceaccount:shop:*',
    })
    const token = await stage
      .credential({ token: issuer.token({ namespace: 'shop', serviceAccount: 'web' }) })
      .getToken(scope)
    t.ok(token.expiresOnTimestamp > Date.now() + 3500_000)
    const claims = {
      tenant: defaultTenant,
      client: stage.clientId,
      iss: issuer.issuer,
      aud: ['api://AzureADTokenExchange'],
    }
    const seen = stage.emulator.seen.at(-1)
    t.match(seen, { ...claims, sub: 'system:serviceaccount:shop:web', verified: true, outcome: 'issued' })
    t.notMatch(JSON.stringify(seen), /eyJ/, 'but not the token')
  }
})

const aadsts: [name: string, options: () => CredentialOptions, code: number, status: number, error: string][] = [
  ['another key than the issuer’s', () => ({ token: forged() }), 700027, 401, 'invalid_client'],
  [
    'another issuer',
    () => ({ token: makeIssuer({ issuer: 'https://other.example' }).token() }),
    70021,
    400,
    'invalid_request',
  ],
  [
    'another audience',
    () => ({ token: stage.issuer.token({ audience: 'https://kubernetes.default.svc' }) }),
    700212,
    401,
    'invalid_client',
  ],
  [
    'another subject',
    () => ({ token: stage.issuer.token({ claims: { sub: 'repo:shop/web' } }) }),
    70021,
    400,
    'invalid_request',
  ],
  ['an expired token', () => ({ token: stage.issuer.token({ expiresIn: -1 }) }), 700024, 401, 'invalid_client'],
  ['a token from the future', () => ({ token: fromTheFuture() }), 700024, 401, 'invalid_client'],
  ['no expiry', () => ({ token: stage.issuer.token({ claims: { exp: undefined } }) }), 700024, 401, 'invalid_client'],
  ['not a token', () => ({ token: 'nonsense' }), 50027, 400, 'invalid_request'],
  ['the algorithm none', () => ({ token: unsigned() }), 700027, 401, 'invalid_client'],
  ['an unknown client', () => ({ clientId: randomUUID() }), 700016, 400, 'unauthorized_client'],
]

/** A token that claims to be the issuer's, down to the key id. */
function forged() {
  const [header, payload] = stage.issuer.token().split('.')
  return [header, payload, makeIssuer().token().split('.')[2]].join('.')
}

const fromTheFuture = () => stage.issuer.token({ claims: { nbf: Math.floor(Date.now() / 1000) + 600 } })

function unsigned() {
  const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url')
  return `${header}.${stage.issuer.token().split('.')[1]}.`
}

for (const [name, options, code, status, error] of aadsts)
  void t.test(`refused with AADSTS${code}: ${name}`, async (t) => {
    t.match(await refusal(options()), { status, error, no: code, code: `AADSTS${code}` })
    t.match(stage.emulator.seen.at(-1), { outcome: `AADSTS${code}` })
  })

void t.test('a tenant that does not exist has no metadata and gives no tokens', async (t) => {
  await t.rejects(stage.credential({ tenantId: randomUUID() }).getToken(scope), /openid_config|endpoints_resolution/)
  const { authorityHost, ca } = stage.emulator
  const answer = await ask(`${authorityHost}${randomUUID()}/oauth2/v2.0/token`, { method: 'POST', ca, body: {} })
  t.match(answer, { status: 400, body: /AADSTS90002/ })
})

void t.test(
  'a credential of another tenant signs in there, and its token is no good for the vaults of this one',
  async (t) => {
    const tenant = randomUUID()
    const clientId = randomUUID()
    stage.emulator.federate({ tenant, clientId, issuer: stage.issuer.issuer, subject: '*' })
    t.match(await refusal({ clientId }), { code: 'AADSTS700016' })
    const token = await stage.credential({ tenantId: tenant, clientId }).getToken(scope)
    t.match(stage.emulator.tokens.check(token.token, tenant, 'https://vault.localhost'), { tid: tenant })
    t.match(stage.emulator.tokens.check(token.token, defaultTenant, 'https://vault.localhost'), 'Invalid issuer')
  },
)

void t.test('the scopes of OpenID Connect beside the resource, as MSAL for Go sends them', async (t) => {
  const { authorityHost, ca, tenant } = stage.emulator
  const signIn = (scope: string) => {
    const form = {
      client_id: stage.clientId,
      scope,
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: stage.issuer.token(),
    }
    return ask(`${authorityHost}${tenant}/oauth2/v2.0/token`, { method: 'POST', ca, form })
  }
  for (const scopes of [`${scope} openid offline_access profile`, `openid  profile ${scope}`, scope]) {
    const answer = await signIn(scopes)
    t.equal(answer.status, 200, scopes)
    const { access_token: token } = JSON.parse(answer.body) as { access_token: string }
    t.match(stage.emulator.tokens.check(token, tenant, 'https://vault.localhost'), { aud: 'https://vault.localhost' })
  }
  for (const scopes of ['openid profile', `${scope} https://other.localhost/.default`, `${scope} User.Read`, ''])
    t.match(await signIn(scopes), { status: 400, body: /AADSTS70011/ }, `refused: ${scopes}`)
})

void t.test('lifetime and refresh_in are what the options say', async (t) => {
  const short = await startStage({ tokenLifetime: 7, refreshIn: 3 })
  t.teardown(() => short.end())
  const start = Date.now()
  const { expiresOnTimestamp, refreshAfterTimestamp } = await short.credential().getToken(scope)
  t.ok(Math.abs(expiresOnTimestamp - start - 7000) < 2000)
  t.ok(Math.abs((refreshAfterTimestamp ?? 0) - start - 3000) < 2000)
})

void t.test(
  'an issuer’s keys come from a file, or from a URL with a CA and a token of its own, and are read again when they change',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'emulator-jwks-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
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
    stage.emulator.trust({ issuer: published.issuer, jwks: { url, caFile, tokenFile: file('token', 'pod-token\n') } })
    stage.emulator.federate({ clientId: stage.clientId, issuer: published.issuer, subject: '*' })
    t.ok(await stage.credential({ token: published.token() }).getToken(scope))
    published = makeIssuer({ issuer: published.issuer })
    t.ok(await stage.credential({ token: published.token() }).getToken(scope), 'after a rotation of the keys')

    const other = makeIssuer({ issuer: 'https://file.example' })
    stage.emulator.trust({ issuer: other.issuer, jwks: { file: file('jwks.json', JSON.stringify(other.jwks)) } })
    stage.emulator.federate({ clientId: stage.clientId, issuer: other.issuer, subject: '*' })
    t.ok(await stage.credential({ token: other.token() }).getToken(scope))
  },
)
