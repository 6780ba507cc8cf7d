import { join } from 'node:path'
import t from 'tap'
import { Pki } from '../support/pki.ts'
import { startSidecarFixture } from '../support/sidecar-bundle.ts'
import { differences } from './evaluate.ts'
import { migrateFolder, tableOf } from './migrate-folder.ts'

void t.test('migrate examples: a folder is migrated, and its files compared', async (t) => {
  const fixture = await startSidecarFixture([])
  t.teardown(() => fixture.end())
  const outcomes = await migrateFolder(join(import.meta.dirname, 'example'), fixture, new Pki(t))
  t.match(outcomes, [
    {
      place: 'page.md',
      name: 'class alone',
      result: 'equal',
      files: 1,
      notes: [/AAD Pod Identity/, /kubectl label/, /federated credential/],
    },
    { place: 'page.md', name: 'class unfinished', result: 'invalid', problems: [/keyvaultName is required/] },
    { place: 'web', name: 'Pod whole', result: 'equal', files: 4 },
    { place: 'web', name: 'Pod part', result: 'unchanged', problems: [/subPath/] },
  ])
  t.match(tableOf(outcomes), /Of 4, 1 are invalid\. Of the other 3, 2 are equal: 66\.7 %\./)
})

void t.test('migrate examples: each kind of difference is found', async (t) => {
  const folder = t.testdir({ a: '1', b: { c: '2' }, '..data': '3' })
  const file = (path: string, text: string, mode?: number) => ({
    ...{ path, content: Buffer.from(text) },
    ...(mode === undefined ? {} : { mode }),
  })
  t.strictSame(differences(folder, [file('a', '1'), file('b/c', '2')]), [])
  t.strictSame(differences(folder, [file('a', '2', 0o400), file('d', '2')]), [
    'a has other bytes',
    'a has the mode 644',
    'd is missing',
    'b/c is not asked for',
  ])
})
