import t from 'tap'
import { startStage, type Stage } from './sdk.ts'

let stage: Stage
t.before(async () => {
  stage = await startStage()
  stage.emulator.vault('my-kv')
})
t.teardown(() => stage.end())

void t.test('a secret is written and read through the SDK, after one challenge and one sign-in', async (t) => {
  const client = stage.secrets('my-kv')
  stage.emulator.journal.reset()
  const written = await client.setSecret('db-password', 'first', { contentType: 'text/plain', tags: { team: 'shop' } })
  const read = await client.getSecret('DB-Password')
  t.match(read, { name: 'db-password', value: 'first' })
  t.match(read.properties, {
    version: written.properties.version,
    contentType: 'text/plain',
    tags: { team: 'shop' },
    enabled: true,
  })
  t.equal(read.properties.id, `${stage.emulator.url('my-kv')}secrets/db-password/${read.properties.version}`)
  t.strictSame(stage.emulator.journal.counts(), {
    openid: 1,
    token: 1,
    challenge: 1,
    'secrets.set': 1,
    'secrets.get': 1,
  })
})
