import { chmodSync, chownSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Volume } from '../../../sidecar/volume/volume.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

void t.test("volume: files at any depth get the group of the volume's root, as an fsGroup sets it", async (t) => {
  const mount = temporaryFolder(t)
  const own = process.getgid?.() ?? 0
  // Only root can have a file of a group that it is not in; elsewhere the bit alone shows it.
  const group = process.getuid?.() === 0 ? own + 2000 : own
  chownSync(mount, -1, group)
  chmodSync(mount, 0o2777)
  const files = new Map([['a/b/c', { content: Buffer.from('x'), mode: 0o440 }]])
  const manifest = {
    schema: 1,
    plan: 'plan',
    switchedAt: 1,
    files: { 'a/b/c': 0o440 },
    objects: {},
    sources: {},
  } as const
  await new Volume(mount).switchTo(files, manifest)
  for (const path of ['..data/', 'a/', 'a/b', 'a/b/c']) {
    const { gid, mode } = statSync(join(mount, path))
    t.equal(gid, group, path)
    t.equal((mode & 0o7777).toString(8), path.endsWith('c') ? '440' : '2755', path)
  }
})
