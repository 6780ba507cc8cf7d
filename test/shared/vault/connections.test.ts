import { createServer, get, type RequestOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t, { type Test } from 'tap'
import { createConnections } from '../../../shared/vault/connections.ts'
import { startEmulator } from '../../emulator/emulator.ts'
import { makeAuthority } from '../../emulator/tls.ts'
import { failure, never, startVaultFixture } from './fixture.ts'

async function serve(t: Test) {
  const authority = makeAuthority()
  const { cert, key } = authority.issue({ names: ['localhost'] })
  const sessions: boolean[] = []
  const server = createServer({ cert, key }, (_request, response) => response.end('ok'))
  server.on('secureConnection', (socket) => sessions.push(socket.isSessionReused()))
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { ca: authority.ca, sessions, url: `https://localhost:${(server.address() as AddressInfo).port}/` }
}

async function ask(url: string, options: RequestOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  get(url, options, (response) => void text(response).then(resolve, reject)).on('error', reject)
  return promise
}

void t.test(
  'connections: extra authorities are trusted in addition to the public ones, by these connections only',
  async (t) => {
    const { ca, url } = await serve(t)
    const other = makeAuthority({ commonName: 'Another CA' }).ca
    const link = createConnections({ caCertificates: `${other}${ca}` })
    t.equal(await ask(url, { agent: link.vault }), 'ok')
    t.equal(await ask(url, { agent: link.signIn }), 'ok')
    const others = createConnections({})
    await t.rejects(ask(url, { agent: others.vault }), { code: /SELF_SIGNED|UNABLE_TO_VERIFY/ })
    link.close()
    others.close()
  },
)

void t.test('connections: the public authorities stay trusted', async (t) => {
  const before = getCACertificates('default')
  t.teardown(() => setDefaultCACertificates(before))
  const { ca, url } = await serve(t)
  setDefaultCACertificates([ca])
  const link = createConnections({ caCertificates: makeAuthority({ commonName: 'Another CA' }).ca })
  t.equal(await ask(url, { agent: link.vault }), 'ok')
  link.close()
})

void t.test('connections: a connection is kept and marked as reused, and TLS sessions are resumed', async (t) => {
  const { ca, url, sessions } = await serve(t)
  let reused = 0
  const link = createConnections({ caCertificates: ca, onReuse: () => void reused++ })
  await ask(url, { agent: link.vault })
  t.equal(reused, 0)
  await ask(url, { agent: link.vault })
  t.equal(reused, 1)
  t.equal(sessions.length, 1)
  link.dropIdle()
  await ask(url, { agent: link.vault })
  t.strictSame([reused, sessions], [1, [false, true]], 'a fresh connection, without a full handshake')
  await ask(url, { agent: link.signIn })
  await ask(url, { agent: link.signIn })
  t.equal(sessions.length, 4, 'the sign-in service’s is not kept')
  link.close()
})

void t.test('connections: vault and sign-in service are reached through a proxy', async (t) => {
  const emulator = await startEmulator()
  t.teardown(() => emulator.close())
  const proxy = await emulator.proxy()
  const url = `https://localhost:${emulator.port}/${emulator.tenant}/v2.0/.well-known/openid-configuration`
  for (const [environment, passes] of [
    [{ HTTPS_PROXY: proxy }, true],
    [{ https_proxy: proxy, no_proxy: '.example' }, true],
    [{ HTTPS_PROXY: 'http://127.0.0.1:9' }, false],
    [{ HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'localhost' }, true],
    [{ HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'example,*' }, true],
    [{ HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: `localhost:${emulator.port}` }, true],
    [{ HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'localhost:1' }, false],
    [{ HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'localhost', no_proxy: 'example' }, false],
    [{ HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.0/8' }, false],
    [{ PROXY: 'http://127.0.0.1:9' }, true],
  ] as const) {
    const link = createConnections({ caCertificates: emulator.ca, proxy: environment })
    for (const agent of [link.vault, link.signIn]) {
      const asked = ask(url, { agent })
      await (passes ? t.resolves(asked, JSON.stringify(environment)) : t.rejects(asked, { code: 'ECONNREFUSED' }))
    }
    link.close()
  }
})

void t.test('connections: a vault that only the proxy can resolve is reached through it', async (t) => {
  const fixture = await startVaultFixture({ suffix: 'vault.azure.example' })
  t.teardown(() => fixture.end())
  fixture.emulator.vault('kv').setSecret('db', 'x')
  const HTTPS_PROXY = await fixture.emulator.proxy()
  // Nothing resolves this name; the proxy knows where it is.
  const vault = fixture.vault('kv', { environment: { HTTPS_PROXY } })
  t.match(await vault.get('secret', 'db', undefined, never), { content: { secret: 'x' } })
  const direct = await failure(fixture.vault('kv').get('secret', 'db', undefined, never))
  t.match(direct, { kind: 'network', code: /ENOTFOUND|EAI_AGAIN/ })
})
