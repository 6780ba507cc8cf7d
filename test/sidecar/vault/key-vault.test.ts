import t from 'tap'
import { never, startVaultStage, type Stage } from './stage.ts'

let stage: Stage
t.before(async () => {
  stage = await startVaultStage()
})
t.teardown(() => stage.end())

void t.test('a secret is read, after one challenge and one sign-in', async (t) => {
  const { emulator } = stage
  const written = emulator.vault('read-kv').setSecret('db-password', 'first\n', { contentType: 'text/plain' })
  emulator.journal.reset()
  const vault = stage.vault('read-kv')
  const got = await vault.get('secret', 'DB-Password', undefined, never)
  t.match(got, {
    type: 'secret',
    name: 'DB-Password',
    version: written.id,
    contentType: 'text/plain',
    content: { secret: 'first\n' },
    attributes: { enabled: true, created: written.attributes.created, updated: written.attributes.updated },
  })
  t.ok(Math.abs(got.answeredAt! - Date.now()) < 5000, 'the Date header')
  await vault.get('secret', 'db-password', written.id, never)
  t.strictSame(emulator.journal.counts(), { challenge: 1, token: 1, 'secrets.get': 2 })
})

void t.test('a list has every page, by name in lower case', async (t) => {
  const { emulator } = stage
  for (let i = 0; i < 30; i++) emulator.vault('list-kv').setSecret(`Item-${i}`, 'x')
  const { items, pages } = await stage.vault('list-kv').list('secret', never)
  t.equal(items.size, 30)
  t.equal(pages, 2)
  t.ok(items.get('item-29')?.updated)
})
