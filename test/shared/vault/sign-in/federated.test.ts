import { createHttpHeaders, type HttpClient, type PipelineRequest } from '@azure/core-rest-pipeline'
import { WorkloadIdentityCredential } from '@azure/identity'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { createFederatedExchange } from '../../../../shared/vault/sign-in/federated.ts'
import { makeIssuer } from '../../../emulator/issuer.ts'
import { memoryFolder } from '../../../support/temporary-folder.ts'
import { failure, never } from '../fixture.ts'

const token = await makeIssuer({ issuer: 'https://oidc.example/1' }).token({ namespace: 'shop', serviceAccount: 'web' })
const scope = 'https://vault.azure.net/.default'

/** An exchange whose service answers what the test says; keeps what it was asked. */
function stand(
  status: number,
  body: unknown,
  {
    headers = {},
    readToken = () => Promise.resolve(`${token}\n`),
  }: { headers?: Record<string, string>; readToken?: () => Promise<string> } = {},
) {
  const asked: PipelineRequest[] = []
  const http: HttpClient = {
    async sendRequest(request) {
      asked.push(request)
      if (body instanceof Error) throw body
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      return {
        request,
        status,
        headers: createHttpHeaders(headers),
        readableStreamBody: Readable.from([Buffer.from(text)]),
      }
    },
  }
  const exchange = createFederatedExchange({
    authorityHost: 'https://login.example',
    tenantId: 't1',
    clientId: 'c1',
    readToken,
    http,
    clock: { now: () => 0 },
  })
  return { asked, exchange: (signal = never) => exchange(scope, signal) }
}

/** The form of a request without what MSAL says of itself. */
const documented = ({ body }: PipelineRequest) =>
  Object.fromEntries([...new URLSearchParams(body as string)].filter(([name]) => !/^x-|^client-request-id$/.test(name)))

const refusal = (code: number, words = 'In its own words.') => ({
  error: 'invalid_request',
  error_description: `AADSTS${code}: ${words} Trace ID: 1 Correlation ID: 2 Timestamp: 2030-01-01 00:00:00Z`,
  error_codes: [code],
})

void t.test('federated sign-in: the request is the documented one', async (t) => {
  const { asked, exchange } = stand(200, {
    access_token: 'a',
    expires_in: 3599,
    refresh_in: '1800',
    token_type: 'Bearer',
  })
  t.strictSame(await exchange(), { token: 'a', lifetimeMs: 3_599_000, refreshInMs: 1_800_000 })
  const [request] = asked
  t.match(request, {
    url: 'https://login.example/t1/oauth2/v2.0/token',
    method: 'POST',
    allowInsecureConnection: false,
  })
  t.match(request!.headers.get('content-type'), /^application\/x-www-form-urlencoded(;charset=utf-8)?$/)
  t.strictSame(documented(request!), {
    client_id: 'c1',
    scope,
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: token,
  })
})

void t.test("federated sign-in: the SDK's unmodified credential sends the same request, also to AD FS", async (t) => {
  const folder = memoryFolder('assertion-')
  t.teardown(() => rmSync(folder, { recursive: true }))
  const tokenFilePath = join(folder, 'token')
  writeFileSync(tokenFilePath, token)
  const authorityHost = 'https://login.example'
  for (const tenantId of ['adfs', '7e57e57e-0000-4000-8000-000000000001']) {
    const asked: { url: string; form: Record<string, string> }[] = []
    const httpClient: HttpClient = {
      async sendRequest(request) {
        const base = `${authorityHost}/${tenantId}`
        const version = tenantId === 'adfs' ? '' : '/v2.0'
        const metadata = {
          issuer: `${base}${version}`,
          authorization_endpoint: base,
          token_endpoint: `${base}/oauth2${version}/token`,
          jwks_uri: base,
        }
        const isMetadata = request.method === 'GET'
        if (!isMetadata) asked.push({ url: request.url.replace(/\?.*/, ''), form: documented(request) })
        const bodyAsText = JSON.stringify(
          isMetadata ? metadata : { access_token: 'a', expires_in: 3600, token_type: 'Bearer' },
        )
        return {
          request,
          status: 200,
          headers: createHttpHeaders(),
          bodyAsText,
          readableStreamBody: Readable.from([Buffer.from(bodyAsText)]),
        }
      },
    }
    const options = { tenantId, clientId: 'c1', authorityHost }
    await new WorkloadIdentityCredential({
      ...options,
      tokenFilePath,
      disableInstanceDiscovery: true,
      httpClient,
    }).getToken(scope)
    await createFederatedExchange({
      ...options,
      readToken: async () => token,
      http: httpClient,
      clock: { now: () => 0 },
    })(scope, never)
    const [msal, ours] = asked
    t.equal(ours?.url, msal?.url)
    t.strictSame(ours?.form, msal?.form)
  }
})

void t.test('federated sign-in: a sign-in is one request, without one for metadata', async (t) => {
  const { asked, exchange } = stand(200, { access_token: 'a', expires_in: 3600 })
  t.match(await exchange(), { token: 'a' })
  t.match(await exchange(), { token: 'a' })
  t.strictSame(
    asked.map(({ method }) => method),
    ['POST', 'POST'],
    'no cache of the SDK keeps a token',
  )
  const failing = stand(503, '<html>', { headers: { 'Retry-After': '60' } })
  for (const count of [1, 2]) {
    t.match(await failure(failing.exchange()), { status: 503, retryAfter: 60_000 })
    t.equal(failing.asked.length, count, 'nor a failure, and nothing is retried')
  }
})

void t.test('federated sign-in: each refusal becomes a failure with its code and remedy', async (t) => {
  const place = 'sign-in of identity c1 at https://login.example/t1'
  const claims = `issuer "https://oidc.example/1", subject "system:serviceaccount:shop:web" and audience "api://AzureADTokenExchange"`
  const matched = `the federated credential must have exactly the pod's token's ${claims}`
  const cases: [name: string, status: number, body: unknown, expected: object][] = [
    [
      'no such federated credential',
      400,
      refusal(70021),
      { kind: 'sign-in', code: 'AADSTS70021', message: `${place}: 400 AADSTS70021: In its own words.; ${matched}` },
    ],
    [
      'of another issuer',
      401,
      refusal(700211),
      { kind: 'sign-in', code: 'AADSTS700211', message: `${place}: 401 AADSTS700211: In its own words.; ${matched}` },
    ],
    [
      'of another client',
      400,
      refusal(700016),
      { kind: 'sign-in', code: 'AADSTS700016', message: /; is the client ID right/ },
    ],
    ['of another tenant', 400, refusal(90002), { kind: 'sign-in', message: /; is the tenant ID right\?$/ }],
    [
      'an old token',
      401,
      refusal(700024),
      { kind: 'sign-in', message: /has expired, or a clock is wrong; the token has issuer/ },
    ],
    [
      'anything else',
      400,
      refusal(53003),
      { kind: 'sign-in', code: 'AADSTS53003', message: `${place}: 400 AADSTS53003: In its own words.` },
    ],
    [
      'an OAuth error alone',
      400,
      { error: 'invalid_scope' },
      { kind: 'sign-in', code: 'invalid_scope', message: `${place}: 400 invalid_scope` },
    ],
    ['throttled', 429, refusal(90055), { kind: 'sign-in-unavailable', retryAfter: 7000 }],
    [
      'down',
      503,
      '<html>',
      { kind: 'sign-in-unavailable', status: 503, message: /an answer that no sign-in service sends$/ },
    ],
    ['elsewhere', 302, '', { kind: 'sign-in-unavailable', status: 302 }],
    ['HTML', 200, '<html>', { kind: 'sign-in-unavailable', message: /the answer has no token$/ }],
    ['no token', 200, { expires_in: 3600 }, { kind: 'sign-in-unavailable' }],
    ['an empty token', 200, { access_token: '', expires_in: 3600 }, { kind: 'sign-in-unavailable' }],
    ['a token without end', 200, { access_token: 's3cr3t' }, { kind: 'sign-in-unavailable' }],
    ['a token that is over', 200, { access_token: 's3cr3t', expires_in: 0 }, { kind: 'sign-in-unavailable' }],
  ]
  for (const [name, status, body, expected] of cases) {
    const failed = await failure(stand(status, body, { headers: { 'Retry-After': '7' } }).exchange())
    t.match(failed, expected, name)
    t.notOk(failed.message.includes(token) || failed.message.includes('s3cr3t'), 'names no token')
  }
})

void t.test('federated sign-in: a failure before the request names its cause', async (t) => {
  const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
  t.match(await failure(stand(0, reset).exchange()), {
    kind: 'sign-in-unavailable',
    code: 'ECONNRESET',
    message: /: ECONNRESET: the connection to \S+:443 failed: socket hang up$/,
  })
  const over = AbortSignal.abort()
  t.match(await failure(stand(0, reset).exchange(over)), {
    kind: 'sign-in-unavailable',
    message: /no complete answer in time$/,
  })
  const missing = Object.assign(new Error("ENOENT: no such file or directory, open '/x'"), { code: 'ENOENT' })
  const lost = stand(200, {}, { readToken: () => Promise.reject(missing) })
  t.match(await failure(lost.exchange()), {
    kind: 'sign-in',
    code: 'ENOENT',
    message: /the pod's token cannot be read: ENOENT/,
  })
  const odd = stand(400, refusal(70021), { readToken: () => Promise.resolve('not.a.token') })
  t.match(await failure(odd.exchange()), { message: /issuer undefined, subject undefined/ })
})
