import t from 'tap'
import { namespaceLimits, openRate } from '../../../coordinator/watch/watcher.ts'
import { vaultUrl, watcherScene } from './scene.ts'

const day = 86_400_000

void t.test('watcher: vaults that a sidecar invents are opened in bounded number and closed again', async (t) => {
  const { vault, watcher, open, opened, advance, object, told } = await watcherScene(t)
  const version = vault.set('a', '1')
  await advance(day)
  const [owner, hostile] = [told(), told('team-a')]
  watcher.update(owner, 1, [object('a', version)])
  await advance(20_000)
  const seconds = 60
  for (let second = 0; second < seconds; second++) {
    const vaults = Array.from(
      { length: 20 },
      (_, index) => `https://kv-team-a-${second}-${index}.vault.emulator.example`,
    )
    const objects = [vaultUrl, ...vaults].map((url) => ({ ...object('a', 'guess'), vault: url }))
    watcher.update(hostile, second + 1, objects)
    t.ok(open.size <= namespaceLimits.vaults + 1, `${open.size} vaults are open`)
    await advance(1_000)
  }
  const most = 1 + openRate.burst + seconds * openRate.perSecond
  t.ok(opened.length > openRate.burst && opened.length <= most, `${opened.length} vaults were opened`)
  watcher.remove(hostile)
  t.strictSame([...open], [vaultUrl], 'the vault of others stays open')
  t.ok((watcher.looks(owner)[0]?.ageMs ?? Infinity) <= 15_000, 'and is looked at')

  const other = told('team-b')
  const own = 'https://kv-team-b.vault.emulator.example'
  watcher.update(other, 1, [{ ...object('a', version), vault: own }])
  t.ok(open.has(own), 'other namespaces have budgets of their own')
  watcher.close()
  t.equal(open.size, 0)
})

void t.test('watcher: a vault is opened once for all who have it watched', async (t) => {
  const { vault, watcher, open, opened, advance, object, told } = await watcherScene(t)
  const version = vault.set('a', '1')
  await advance(day)
  const sidecars = Array.from({ length: 200 }, (_, index) => told(`team-${index % 2}`))
  for (const one of sidecars) watcher.update(one, 1, [object('a', version), { ...object('a', version), type: 'key' }])
  await advance(20_000)
  for (const one of sidecars.slice(1)) watcher.remove(one)
  await advance(20_000)
  t.strictSame(opened, [vaultUrl])
  t.equal(open.size, 1)
  watcher.update(sidecars[0]!, 2, [object('a', version)])
  t.equal(open.size, 1, 'one type is still watched')
  watcher.remove(sidecars[0]!)
  t.equal(open.size, 0)
})
