import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseManifest } from '../../../sidecar/volume/manifest.ts'
import { readPlain, readSet } from '../../../sidecar/volume/set-folder.ts'

void t.test('reading a set: links and files that are too large are left out', async (t) => {
  const folder = t.testdir({ real: 'value', other: { file: 'value' } })
  symlinkSync('real', join(folder, 'link'))
  symlinkSync('other', join(folder, 'linked'))
  mkdirSync(join(folder, 'folder'))
  writeFileSync(join(folder, 'large'), '')
  truncateSync(join(folder, 'large'), 64 * 1024 * 1024 + 1)
  await t.rejects(readPlain(join(folder, 'link')), { code: 'ELOOP' })
  await t.rejects(readPlain(join(folder, 'large')), { code: 'EFBIG' })
  const read = await readSet(folder, ['real', 'link', 'linked/file', 'other/file', 'folder', 'large', 'absent'])
  t.strictSame([...read.keys()], ['real', 'other/file'])
})

void t.test('volume: a manifest whose paths lead out of the set is rejected', async (t) => {
  const manifest = { schema: 1, plan: '', switchedAt: 0, files: { a: 0o440 }, objects: { 0: ['a'] }, sources: {} }
  t.ok(parseManifest(JSON.stringify(manifest)))
  t.notOk(parseManifest(JSON.stringify({ ...manifest, objects: { 0: ['../a'] } })))
  t.notOk(parseManifest(JSON.stringify({ ...manifest, files: { '../a': 0o440 } })))
})
