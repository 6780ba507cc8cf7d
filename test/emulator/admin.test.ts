import t from 'tap'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { publishCa } from './in-cluster.ts'
import { failureOf, startFixture, type EmulatorFixture } from './sdk.ts'
import { makeAuthority } from './tls.ts'

let fixture: EmulatorFixture
let url: string
t.before(async () => {
  fixture = await startFixture()
  url = await fixture.emulator.admin()
})
t.teardown(() => fixture.end())

/** A request to the admin API: status and body. */
async function admin(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/admin${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const content = await response.text()
  return { status: response.status, body: content && (JSON.parse(content) as unknown) }
}

void t.test('emulator admin: the root page names the authority and the CA', async (t) => {
  const { authorityHost, tenant, ca } = fixture.emulator
  t.match(await admin('GET', ''), { status: 200, body: { authorityHost, tenant, ca } })
})

void t.test('emulator admin: writes, changes and deletes objects of every type', async (t) => {
  const secrets = fixture.secrets('admin-kv')
  const written = await admin('PUT', '/vaults/admin-kv/secrets/hello', { value: 'world', contentType: 'text/plain' })
  const { version } = (await secrets.getSecret('hello')).properties
  t.match(written, { status: 200, body: { version } })
  t.match(await secrets.getSecret('hello'), { value: 'world', properties: { contentType: 'text/plain' } })
  t.match(await admin('PATCH', '/vaults/admin-kv/secrets/hello', { enabled: false }), { status: 204 })
  t.match(await failureOf(secrets.getSecret('hello')), { inner: 'SecretDisabled' })
  t.match(await admin('DELETE', '/vaults/admin-kv/secrets/hello'), { status: 204 })
  t.match(await failureOf(secrets.getSecret('hello')), { code: 'SecretNotFound' })
  t.match(await admin('DELETE', '/vaults/admin-kv/secrets/hello'), { status: 404 })
  await admin('PUT', '/vaults/admin-kv/secrets/hello', { value: 'again' })
  t.equal((await secrets.getSecret('hello')).value, 'again', 'a deleted name may be written again at once')

  await admin('PUT', '/vaults/admin-kv/keys/made', { kty: 'EC', curve: 'P-384' })
  await admin('PUT', '/vaults/admin-kv/keys/given', { jwk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AQ' } })
  t.match((await fixture.keys('admin-kv').getKey('made')).key, { kty: 'EC', crv: 'P-384' })
  t.strictSame(Buffer.from((await fixture.keys('admin-kv').getKey('given')).key?.x ?? []), Buffer.from([0]))

  const certificates = fixture.certificates('admin-kv')
  await admin('PUT', '/vaults/admin-kv/certificates/web', { pending: true })
  t.notOk((await certificates.getCertificate('web')).cer)
  const made = await admin('PUT', '/vaults/admin-kv/certificates/web', { names: ['web.example'] })
  t.equal(made.status, 200)
  t.ok((await certificates.getCertificate('web')).cer)
  t.match((await secrets.getSecret('web')).value, /PRIVATE KEY[^]*CERTIFICATE/)
})

void t.test('emulator admin: sets and reads faults, counts, requests, grants and tokens', async (t) => {
  fixture.emulator.vault('my-kv').setSecret('name', 'value')
  const client = fixture.secrets('my-kv')
  await client.getSecret('name')

  const added = await admin('POST', '/faults', { match: { vault: 'my-kv' }, fault: { kind: 'throttle' }, times: 1 })
  t.match(await admin('GET', '/faults'), { body: [added.body] })
  t.match(await failureOf(client.getSecret('name')), { status: 429 })
  await admin('POST', '/faults', { fault: { kind: 'status', status: 500 } })
  t.match(await failureOf(client.getSecret('name')), { status: 500 })
  await admin('DELETE', '/faults')
  t.match(await admin('GET', '/faults'), { body: [] })

  await admin('DELETE', '/counts')
  await client.getSecret('name')
  t.strictSame((await admin('GET', '/counts?vault=my-kv')).body, { 'secrets.get': 1 })
  t.match(await admin('GET', '/requests?operation=secrets.*'), {
    body: [{ object: 'name', status: 200, client: fixture.clientId }],
  })

  const grant = { client: fixture.clientId, grants: [{ object: 'secrets/other' }] }
  await admin('POST', '/grants', grant)
  t.match(await failureOf(client.getSecret('name')), { status: 403 })
  await admin('DELETE', '/grants')
  t.equal((await client.getSecret('name')).value, 'value')

  const { body: seen } = await admin('GET', '/tokens')
  t.match((seen as unknown[]).at(-1), { sub: 'system:serviceaccount:shop:web', verified: true, outcome: 'issued' })
  await admin('DELETE', '/tokens')
  t.match(await failureOf(client.getSecret('name')), { status: 401 })

  const federated = { clientId: 'later', issuer: fixture.issuer.issuer, subject: 'system:serviceaccount:shop:web' }
  await admin('POST', '/credentials', federated)
  t.ok(await fixture.credential({ clientId: 'later' }).getToken('https://vault.localhost/.default'))
})

void t.test('emulator admin: a wrong request is answered with what is wrong', async (t) => {
  const mistakes: [method: string, path: string, body: unknown, message: RegExp][] = [
    ['POST', '/faults', { fault: { kind: 'trottle' } }, /fault is/],
    ['POST', '/faults', { kind: 'throttle' }, /fault is/],
    ['PUT', '/vaults/my-kv/secrets/name', { vaule: 'x' }, /secret is/],
    ['PUT', '/vaults/my-kv/certificates/name', {}, /certificate is/],
    ['PATCH', '/vaults/my-kv/secrets/name', { disabled: true }, /not disabled/],
  ]
  for (const [method, path, body, message] of mistakes) {
    const answer = await admin(method, path, body)
    t.equal(answer.status, 400)
    t.match((answer.body as { error: string }).error, message)
  }
  t.match(await admin('PUT', '/vaults/my-kv/secrets/under_score', { value: 'x' }), {
    status: 400,
    body: { error: { code: 'BadParameter' } },
  })
  t.match(await admin('GET', '/nothing'), { status: 404 })
  t.match(await fetch(`${url}/secrets/name`), { status: 404 })
})

void t.test('emulator: publishes its CA in a new or existing ConfigMap', async (t) => {
  const authority = makeAuthority()
  const asked: unknown[] = []
  const server = createServer(authority.issue(), (request, response) => {
    void json(request).then((body) => {
      asked.push([request.method, request.url, request.headers.authorization, (body as { data: unknown }).data])
      const name = request.url?.split('/')[4]
      response.writeHead(name === 'closed' ? 403 : name === 'old' && request.method === 'POST' ? 409 : 201).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const api = { url: `https://localhost:${(server.address() as AddressInfo).port}`, ca: authority.ca, token: 'pod' }
  const data = { 'ca.crt': 'PEM' }
  await publishCa(api, 'new/trust', 'PEM')
  t.strictSame(asked.splice(0), [['POST', '/api/v1/namespaces/new/configmaps', 'Bearer pod', data]])
  await publishCa(api, 'old/trust', 'PEM')
  t.strictSame(asked[1], ['PUT', '/api/v1/namespaces/old/configmaps/trust', 'Bearer pod', data])
  await t.rejects(publishCa(api, 'closed/trust', 'PEM'), /closed\/trust: 403/)
})
