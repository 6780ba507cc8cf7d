import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'
import { notifiedFile } from '../../../sidecar/volume/entries.ts'
import { needs } from '../../support/needs.ts'
import { isReady, read } from '../../support/sidecar-bundle.ts'
import { get, sidecarFixture } from '../../support/sidecar-fixture.ts'
import { until } from '../../support/until.ts'

/** A mount namespace of its own: root may make one, others in a user namespace where the kernel lets them. */
const unshare = ['unshare', process.geteuid?.() === 0 ? '-m' : '-rm']
const [program = '', ...flags] = unshare
const canMount = spawnSync(program, [...flags, 'mount', '-n', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0

/** Puts a tmpfs of so many KiB over a folder, and runs the rest of the arguments. */
const inTmpfs = (folder: string, size: number): string[] => [
  ...[...unshare, 'sh', '-c', `mount -n -t tmpfs -o size=${size}k tmpfs "$0" && exec "$@"`],
  folder,
]

const large = (mark: string): string => `${mark}${'x'.repeat(24_000)}`

void t.test(
  'process: a full tmpfs leaves the current set',
  needs('a tmpfs (util-linux, mount namespaces)', canMount),
  async (t) => {
    const fixture = await sidecarFixture(t)
    const vault = fixture.emulator.vault('my-kv')
    // One set of 60 KiB fits, and a second one beside it does not.
    for (const name of ['db-user', 'db-password']) vault.setSecret(name, large('first'))
    const sidecar = fixture.start({ within: inTmpfs(fixture.mount, 96) })
    await isReady(sidecar)
    const mount = join('/proc', String(sidecar.process.pid), 'root', fixture.mount)
    const entries = () => readdirSync(mount).filter((name) => name !== notifiedFile).length
    const before = entries()
    vault.setSecret('db-user', large('second'))
    await until('it is logged', () => sidecar.log().filter(({ event }) => event === 'switch-failed').length > 2)
    t.match(
      sidecar.log().find(({ event }) => event === 'switch-failed'),
      { code: 'ENOSPC' },
    )
    const status = async () => JSON.parse((await get(`${sidecar.url}/status`)).text) as Record<string, unknown>
    t.match(await status(), { ready: true, volumeProblem: { kind: 'volume', message: /the volume: ENOSPC/ } })
    t.equal(read(mount, 'db-user'), large('first'), 'the earlier set stays')
    t.equal((await get(`${sidecar.url}/livez`)).status, 200)
    vault.setSecret('db-user', 'small')
    vault.setSecret('db-password', 'small')
    await until('a set that fits is switched in', () => read(mount, 'db-user') === 'small')
    await until('the problem is over', async () => (await status())['volumeProblem'] === undefined)
    await until('nothing is left of the attempts', () => entries() === before)
    t.equal(sidecar.process.exitCode, null)
  },
)
