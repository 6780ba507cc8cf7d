import { createDefaultHttpClient, createHttpHeaders, type HttpClient } from '@azure/core-rest-pipeline'
import { ManagedIdentityCredential } from '@azure/identity'
import { Readable } from 'node:stream'
import { decodeJwt } from 'jose'
import t from 'tap'
import { createNodeExchange } from '../../../../shared/vault/sign-in/node.ts'
import { startEmulator } from '../../../emulator/emulator.ts'
import { startMetadataService } from '../../../emulator/metadata.ts'
import { failure, never } from '../fixture.ts'

const scope = 'https://vault.azure.net/.default'
const clock = { now: () => 0 }
const http = createDefaultHttpClient()
const clientOf = (token: string) => decodeJwt(token)['appid']

void t.test('node sign-in: tokens of a metadata service are requested as the SDK does', async (t) => {
  const emulator = await startEmulator()
  const service = await startMetadataService(emulator)
  t.teardown(() => {
    service.close()
    return emulator.close()
  })
  service.node = { own: 'own', assigned: ['first', 'second'] }
  const exchange = (clientId?: string) =>
    createNodeExchange({ service: `${service.url}/`, clientId, http, clock })(scope, never)

  const { token, ...times } = await exchange('second')
  t.equal(clientOf(token), 'second')
  t.strictSame(times, { lifetimeMs: 24 * 3600_000 }, 'a life given as text')
  t.equal(clientOf((await exchange()).token), 'own', "without a client id the node's own")
  process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = service.url
  t.teardown(() => delete process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'])
  for (const options of [{ clientId: 'second' }, {}]) await new ManagedIdentityCredential(options).getToken(scope)
  t.strictSame(service.asked.slice(0, 2), service.asked.slice(2), 'the unmodified SDK asks the same')

  service.node = { assigned: [] }
  t.match(await failure(exchange('gone')), {
    kind: 'sign-in',
    status: 400,
    code: 'invalid_request',
    message: `sign-in of the node's identity gone at ${service.url}/: 400 Identity not found; assign this identity to the node's scale set, or correct userAssignedIdentityID, which must be a client ID`,
  })
  t.match(await failure(exchange()), {
    kind: 'sign-in',
    message:
      /^sign-in of the node's own identity at .*; the node has no system-assigned identity: assign one to its scale set/,
  })
  service.node = { assigned: ['first', 'second'] }
  t.match(await failure(exchange()), { kind: 'sign-in', message: /; choose one with userAssignedIdentityID$/ })
  // What Microsoft documents as worth another try, and what is not.
  for (const [status, kind] of [
    [404, 'sign-in-unavailable'],
    [408, 'sign-in-unavailable'],
    [410, 'sign-in-unavailable'],
    [429, 'sign-in-unavailable'],
    [500, 'sign-in-unavailable'],
    [503, 'sign-in-unavailable'],
    [400, 'sign-in'],
    [401, 'sign-in'],
    [403, 'sign-in'],
    [405, 'sign-in'],
  ] as const) {
    service.failures = [status]
    t.match(await failure(exchange('first')), { kind, status }, `${status}`)
  }
})

void t.test("node sign-in: the node's address is called over plain HTTP, never through a proxy", async (t) => {
  const asked: Parameters<HttpClient['sendRequest']>[0][] = []
  const recording: HttpClient = {
    async sendRequest(request) {
      asked.push(request)
      return { request, status: 200, headers: createHttpHeaders(), readableStreamBody: Readable.from([]) }
    },
  }
  t.match(await failure(createNodeExchange({ http: recording, clock })(scope, never)), {
    kind: 'sign-in-unavailable',
    message: /the answer has no token$/,
  })
  const [request] = asked
  t.equal(
    request?.url,
    'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net',
  )
  t.match(request, { method: 'GET', allowInsecureConnection: true, proxySettings: undefined })
  t.notMatch(request?.agent, { options: { proxyEnv: Object } }, 'its connections have a time limit, and no proxy')
  t.equal(request?.headers.get('metadata'), 'true')
})

void t.test('node sign-in: a missing service is a failure that says what to do', async (t) => {
  const lost = createNodeExchange({ service: 'http://127.0.0.1:1', http, clock })
  t.match(await failure(lost(scope, never)), { kind: 'sign-in-unavailable', code: 'ECONNREFUSED' })
  t.match(await failure(lost(scope, AbortSignal.abort())), { kind: 'sign-in-unavailable', code: 'ETIMEDOUT' })
})
