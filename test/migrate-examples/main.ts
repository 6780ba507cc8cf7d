/**
 * `node test/migrate-examples/main.ts FOLDER` migrates the examples in a folder and prints a table of what became of each. See
 * docs/decisions/0017-migrate-on-public-examples.md.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pki } from '../support/pki.ts'
import { startSidecarFixture } from '../support/sidecar-bundle.ts'
import { migrateFolder, tableOf } from './migrate-folder.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node test/migrate-examples/main.ts FOLDER')
  process.exit(2)
}
const scratch = mkdtempSync(join(tmpdir(), 'akv-injector-'))
const fixture = await startSidecarFixture([])
try {
  console.log(tableOf(await migrateFolder(folder, fixture, new Pki({ testdir: () => scratch }))))
} finally {
  await fixture.end()
  rmSync(scratch, { recursive: true })
}
