import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { isOpen, openFolder } from './open-folder.ts'

void t.test('open folder: other users can enter every folder above it', (t) => {
  const folder = openFolder(t)
  t.ok(isOpen(folder))
  t.equal(statSync(folder).mode & 0o777, 0o777)
  const closed = join(folder, 'closed')
  const inside = join(closed, 'inside')
  mkdirSync(inside, { recursive: true })
  chmodSync(closed, 0o700)
  t.notOk(isOpen(closed))
  t.notOk(isOpen(inside), 'nor below it')
  t.notOk(isOpen(join(folder, 'missing')))
  const before = process.env['TMPDIR']
  t.teardown(() => (before === undefined ? delete process.env['TMPDIR'] : (process.env['TMPDIR'] = before)))
  process.env['TMPDIR'] = inside
  t.equal(tmpdir(), inside)
  const other = openFolder(t)
  t.ok(isOpen(other), 'whatever TMPDIR names')
  writeFileSync(join(other, 'file'), 'x')
  t.equal(readFileSync(join(other, 'file'), 'utf8'), 'x')
  t.end()
})
