import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import t, { type Test } from 'tap'
import type { FileSet } from '../../../shared/render/rendered.ts'
import type { Manifest } from '../../../sidecar/volume/manifest.ts'
import { Volume } from '../../../sidecar/volume/volume.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const setOf = (files: Record<string, string>, mode = 0o440): FileSet =>
  new Map(Object.entries(files).map(([path, text]) => [path, { content: Buffer.from(text), mode }]))

const manifestOf = (files: FileSet): Manifest => ({
  schema: 1,
  plan: 'plan',
  switchedAt: 1,
  files: Object.fromEntries(Array.from(files, ([path, { mode }]) => [path, mode])),
  objects: {},
  sources: {},
})

function place(test: Test): { mount: string; volume: Volume; put: (files: FileSet) => Promise<void> } {
  const mount = temporaryFolder(test)
  const volume = new Volume(mount)
  return { mount, volume, put: (files) => volume.switchTo(files, manifestOf(files)) }
}

/** What a user sees: the names at the top that do not begin with `..`. */
const visible = (mount: string): string[] => readdirSync(mount).filter((name) => !name.startsWith('..'))
const setFolders = (mount: string): string[] => readdirSync(mount).filter((name) => /^\.\.\d/.test(name))

void t.test('volume: a set is written, read back and replaced as a whole', async (t) => {
  const { mount, volume, put } = place(t)
  t.equal(await volume.read(), undefined, 'there is none at first')

  await put(setOf({ a: '1', 'conf/app.ini': '2', 'conf/deep/x': '3' }))
  t.strictSame(visible(mount).sort(), ['a', 'conf'])
  t.equal(readFileSync(join(mount, 'conf/deep/x'), 'utf8'), '3')
  t.equal(readlinkSync(join(mount, 'a')), '..data/a')
  t.match(readlinkSync(join(mount, '..data')), /^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.[0-9a-f]{8}$/)

  await put(setOf({ a: '4', b: '5' }))
  t.strictSame(visible(mount).sort(), ['a', 'b'], 'links of files that are no more are gone')
  t.equal(setFolders(mount).length, 1, 'the earlier folder is gone')
  const stored = await volume.read()
  t.strictSame(
    Array.from(stored?.files ?? [], ([path, { content, mode }]) => [path, Buffer.from(content).toString(), mode]),
    [
      ['a', '4', 0o440],
      ['b', '5', 0o440],
    ],
  )
  t.equal(stored?.manifest.plan, 'plan')
})

void t.test('volume: permission bits are those of the set, whatever the umask', async (t) => {
  const { mount, put } = place(t)
  const umask = process.umask(0o077)
  t.teardown(() => process.umask(umask))
  const files = new Map([
    ...setOf({ 'x/own': 'v' }, 0o644),
    ...setOf({ 'x/group': 'v' }, 0o060),
    ...setOf({ all: 'v' }, 0o777),
  ])
  await put(files)
  const modeOf = (path: string) => statSync(join(mount, path)).mode & 0o777
  t.strictSame(['x/own', 'x/group', 'all', 'x', '..data/'].map(modeOf), [0o644, 0o060, 0o777, 0o755, 0o755])
})

void t.test('volume: a file that its owner may not read is read, and keeps its mode', async (t) => {
  const { mount, volume, put } = place(t)
  await put(setOf({ secret: 'v' }, 0o040))
  t.equal(String(Buffer.from((await volume.read())?.files.get('secret')?.content ?? [])), 'v')
  t.equal(statSync(join(mount, 'secret')).mode & 0o777, 0o040)
})

void t.test('volume: permission bits that another process changed do not count as a change', async (t) => {
  const { mount, volume, put } = place(t)
  await put(setOf({ a: '1' }, 0o440))
  chmodSync(join(mount, '..data/a'), 0o660)
  t.equal((await volume.read())?.files.get('a')?.mode, 0o440)
})

void t.test('volume: the remains of a crash are removed', async (t) => {
  /** Each does to a volume with a set what a process that died at that point has done. */
  const crashes: Record<string, (mount: string) => void> = {
    'a folder half written': (mount) => {
      mkdirSync(join(mount, '..2001_01_01_01_01_01.0badcafe/conf'), { recursive: true })
      writeFileSync(join(mount, '..2001_01_01_01_01_01.0badcafe/a'), 'half')
    },
    'the next link made, not renamed': (mount) =>
      symlinkSync('..2001_01_01_01_01_01.0badcafe', join(mount, '..data_tmp')),
    'a link to a file that the set does not have yet': (mount) => symlinkSync('..data/new', join(mount, 'new')),
    'a user link half made': (mount) => symlinkSync('..data/new', join(mount, '..data_link')),
    'a user link missing': (mount) => unlinkSync(join(mount, 'a')),
    'a mark half written': (mount) => writeFileSync(join(mount, '..notified_tmp'), 'ha'),
    'an earlier folder not removed': (mount) => {
      mkdirSync(join(mount, '..2000_01_01_01_01_01.0badcafe'))
      writeFileSync(join(mount, '..2000_01_01_01_01_01.0badcafe/a'), 'old')
    },
  }
  for (const [name, crash] of Object.entries(crashes)) {
    await t.test(`volume: ${name}`, async (t) => {
      const { mount, volume, put } = place(t)
      await put(setOf({ a: '1', 'conf/b': '2' }))
      await volume.markNotified('id-1')
      const before = readlinkSync(join(mount, '..data'))
      crash(mount)
      t.equal(readFileSync(join(mount, '..data/a'), 'utf8'), '1', 'the set is still there')

      const next = new Volume(mount)
      await next.clean()
      t.strictSame(readdirSync(mount).sort(), ['..data', before, '..notified', 'a', 'conf'].sort())
      t.equal(readFileSync(join(mount, 'a'), 'utf8'), '1')
      t.equal(await next.notified(), 'id-1')
    })
    await t.test(`volume: ${name}, with nothing cleaned up before the next set`, async (t) => {
      const { mount, put } = place(t)
      await put(setOf({ a: '1', 'conf/b': '2' }))
      crash(mount)
      await put(setOf({ a: '3', new: '4' }))
      t.strictSame(visible(mount).sort(), ['a', 'new'])
      t.equal(readFileSync(join(mount, 'new'), 'utf8'), '4')
      t.equal(setFolders(mount).length, 1)
    })
  }
})

void t.test('volume: a set that cannot be written leaves the previous one and no remains', async (t) => {
  const { mount, put } = place(t)
  await put(setOf({ a: '1' }))
  const impossible = setOf({ a: '2', ['n'.repeat(300)]: 'a name that no file system takes' })
  await t.rejects(put(impossible), { code: 'ENAMETOOLONG' })
  t.equal(readFileSync(join(mount, 'a'), 'utf8'), '1')
  t.equal(setFolders(mount).length, 1)
  await put(setOf({ a: '3' }))
  t.equal(readFileSync(join(mount, 'a'), 'utf8'), '3')
})

void t.test('volume: a folder at the place of a link is replaced', async (t) => {
  const { mount, put } = place(t)
  await put(setOf({ a: '1' }))
  mkdirSync(join(mount, 'new/folder/of/somebody'), { recursive: true })
  await put(setOf({ a: '2', new: '3' }))
  t.equal(readFileSync(join(mount, 'new'), 'utf8'), '3')
})

void t.test('volume: a name exists at every moment of a switch', async (t) => {
  const { mount, put } = place(t)
  await put(setOf({ a: '0' }))
  const inode = lstatSync(join(mount, 'a')).ino
  for (const text of ['1', '2', '3']) await put(setOf({ a: text, [`extra-${text}`]: '' }))
  t.equal(lstatSync(join(mount, 'a')).ino, inode, 'the link is the one of the first set')
})

void t.test('volume: an incomplete or foreign set does not count', async (t) => {
  const harms: Record<string, (mount: string) => void> = {
    'a file is missing': (mount) => unlinkSync(join(mount, '..data/conf/b')),
    'the manifest is missing': (mount) => unlinkSync(join(mount, '..data/..manifest.json')),
    'the manifest is no JSON': (mount) => rewrite(mount, 'nonsense'),
    'the manifest is null': (mount) => rewrite(mount, 'null'),
    'the manifest is of another schema': (mount) => rewrite(mount, '{"schema":2,"files":{},"objects":{},"sources":{}}'),
    '..data leads nowhere': (mount) => rmSync(join(mount, readlinkSync(join(mount, '..data'))), { recursive: true }),
    '..data is a folder': (mount) => {
      const folder = readlinkSync(join(mount, '..data'))
      unlinkSync(join(mount, '..data'))
      renameSync(join(mount, folder), join(mount, '..data'))
    },
  }
  const rewrite = (mount: string, text: string) => {
    chmodSync(join(mount, '..data/..manifest.json'), 0o644)
    writeFileSync(join(mount, '..data/..manifest.json'), text)
  }
  for (const [name, harm] of Object.entries(harms)) {
    await t.test(`volume: a set does not count if ${name}`, async (t) => {
      const { mount, put: putBefore } = place(t)
      await putBefore(setOf({ a: '1', 'conf/b': '2' }))
      harm(mount)
      const volume = new Volume(mount)
      const put = (files: FileSet) => volume.switchTo(files, manifestOf(files))
      t.equal(await volume.read(), undefined)
      await volume.clean()
      t.ok(lstatSync(join(mount, 'a')).isSymbolicLink(), 'links of an unknown set stay')
      if (name === '..data is a folder') return
      await put(setOf({ a: '3' }))
      t.equal(readFileSync(join(mount, 'a'), 'utf8'), '3')
    })
  }
})

void t.test('volume: the marker names the notification that was delivered last', async (t) => {
  const { mount, volume } = place(t)
  t.equal(await volume.notified(), undefined)
  await volume.markNotified('one')
  await volume.markNotified('two')
  t.equal(await volume.notified(), 'two')
  t.notOk(existsSync(join(mount, '..notified_tmp')))
})

void t.test('volume: what is known of turns survives a clean-up, and has a bound', async (t) => {
  const { mount, volume, put } = place(t)
  t.equal(await volume.kept('turns'), undefined)
  await volume.keep('turns', 'one')
  await volume.keep('turns', 'two')
  await put(setOf({ a: '1' }))
  await volume.clean()
  t.equal(await new Volume(mount).kept('turns'), 'two')
  writeFileSync(join(mount, '..turns_tmp'), 'half written')
  await volume.keep('turns', 'three')
  t.equal(await volume.kept('turns'), 'three')
  await volume.keep('turns', 'x'.repeat(65_536))
  t.equal((await volume.kept('turns'))?.length, 65_536)
  await volume.keep('turns', 'x'.repeat(65_537))
  t.equal(await volume.kept('turns'), undefined, 'more than the sidecar writes')
})

void t.test('volume: a missing volume is an error, not an empty set', async (t) => {
  await t.rejects(new Volume('/nonexistent/mount').switchTo(setOf({ a: '1' }), manifestOf(setOf({}))), {
    code: 'ENOENT',
  })
})
