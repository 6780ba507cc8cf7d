import { once } from 'node:events'
import { connect } from 'node:tls'
import type { SecretClient } from '@azure/keyvault-secrets'
import t from 'tap'
import { failureOf, startFixture, type EmulatorFixture } from './sdk.ts'

let fixture: EmulatorFixture
let client: SecretClient
const clock = Date.UTC(2030, 0, 1)
t.before(async () => {
  fixture = await startFixture({ now: () => clock })
  fixture.emulator.vault('my-kv').setSecret('name', 'value')
  client = fixture.secrets('my-kv')
  // Requests of the tests below need no further sign-in.
  await client.getSecret('name')
})
t.teardown(() => fixture.end())

void t.test('emulator: offline refuses connections until it is online again, without losing data', async (t) => {
  await fixture.emulator.offline()
  t.match((await failureOf(client.getSecret('name'))).message, /ECONNREFUSED|ECONNRESET|hang up/)
  t.match((await failureOf(client.getSecret('name'))).message, /ECONNREFUSED/)
  await fixture.emulator.online()
  t.equal((await client.getSecret('name')).value, 'value')
})

void t.test('emulator: the next connection gets the new certificate', async (t) => {
  const { port, authority, ca } = fixture.emulator
  const verdict = async () => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'my-kv.vault.localhost',
      ca,
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    socket.destroy()
    return socket.authorizationError ?? 'good'
  }
  const names = ['*.vault.localhost', 'localhost']
  t.equal(await verdict(), 'good')
  fixture.emulator.useCertificate(authority!.issue({ names, to: new Date(Date.now() - 1000) }))
  t.equal(await verdict(), 'CERT_HAS_EXPIRED')
  fixture.emulator.useCertificate(authority!.issue({ names }))
  t.equal(await verdict(), 'good')
})

void t.test('emulator: the Date header follows the emulator’s clock', async (t) => {
  await client.getSecret('name')
  t.equal(fixture.last?.headers.get('date'), new Date(clock).toUTCString())
})

void t.test('emulator: the journal has caller, operation and status, but no value', async (t) => {
  const { journal } = fixture.emulator
  journal.reset()
  const next = journal.next({ operation: 'secrets.get', status: 404 })
  await client.getSecret('name')
  await failureOf(client.getSecret('absent'))
  t.match(await next, { vault: 'my-kv', object: 'absent', client: fixture.clientId, status: 404, time: clock })
  t.equal(journal.count('secrets.*', 'my-kv'), 2)
  t.strictSame(journal.counts('other-kv'), {})
  t.strictSame(journal.counts('my-kv'), { 'secrets.get': 2 })
  t.notMatch(JSON.stringify(journal.entries()), /"value"/)
})
