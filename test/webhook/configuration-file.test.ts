import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { createLogger } from '../../shared/log.ts'
import { makeAuthority } from '../emulator/tls.ts'
import { watchConfiguration } from '../../webhook/configuration-file.ts'

/** A folder as the kubelet mounts a ConfigMap: the file is a link into `..data`, itself a link that is swapped. */
async function mountedConfigMap(t: Test, text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'akv-config-'))
  t.teardown(() => rm(folder, { recursive: true }))
  let count = 0
  const swap = async (text: string): Promise<void> => {
    const next = `..2026_${count++}`
    await mkdir(join(folder, next))
    await writeFile(join(folder, next, 'configuration.yaml'), text)
    await symlink(next, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  await swap(text)
  await symlink('..data/configuration.yaml', join(folder, 'configuration.yaml'))
  return { file: join(folder, 'configuration.yaml'), swap }
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition() && tries < 500; tries++) await sleep(10)
}

function capturedLog() {
  const lines: string[] = []
  const destination = new PassThrough()
  destination.on('data', (chunk: Buffer) => lines.push(chunk.toString()))
  return { log: createLogger('info', destination), lines }
}

void t.test('a changed ConfigMap is taken, a bad one is refused and told, and the one after it taken', async (t) => {
  const { file, swap } = await mountedConfigMap(t, 'tenantId: one')
  const { log, lines } = capturedLog()
  const read: boolean[] = []
  const configuration = await watchConfiguration({ file, log, onRead: (taken) => read.push(taken), interval: 60_000 })
  t.teardown(() => configuration.close())
  t.equal(configuration.current().tenantId, 'one')
  t.equal(configuration.problem(), undefined)

  await swap('tenantId: two')
  await until(() => configuration.current().tenantId === 'two')
  t.equal(configuration.current().tenantId, 'two')

  await swap('tenant: three')
  await until(() => configuration.problem() !== undefined)
  t.equal(configuration.problem(), 'unknown field "tenant" (did you mean "tenantId"?)')
  t.equal(configuration.current().tenantId, 'two', 'the one before holds')
  t.match(lines.join(''), /"level":"error".*unknown field/)

  await swap('tenantId: four')
  await until(() => configuration.current().tenantId === 'four')
  t.equal(configuration.current().tenantId, 'four')
  t.equal(configuration.problem(), undefined)
  t.strictSame(read, [true, true, false, true])
})

void t.test('going back to the file that holds ends the complaint', async (t) => {
  const { file, swap } = await mountedConfigMap(t, 'tenantId: one')
  const configuration = await watchConfiguration({ file, log: capturedLog().log })
  t.teardown(() => configuration.close())
  await swap('nonsense')
  await until(() => configuration.problem() !== undefined)
  t.ok(configuration.problem())
  await swap('tenantId: one')
  await until(() => configuration.problem() === undefined)
  t.equal(configuration.problem(), undefined)
})

void t.test('a file that goes away leaves what it was', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'akv-config-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'configuration.yaml')
  await writeFile(file, 'tenantId: one')
  const configuration = await watchConfiguration({ file, log: capturedLog().log })
  t.teardown(() => configuration.close())
  await rm(file)
  await until(() => configuration.problem() !== undefined)
  t.match(configuration.problem(), /ENOENT/)
  t.equal(configuration.current().tenantId, 'one')
  await writeFile(file, 'tenantId: one')
  await until(() => configuration.problem() === undefined)
  t.equal(configuration.problem(), undefined)
})

void t.test('a file that it names is read again, too', async (t) => {
  const [one, two] = [makeAuthority().ca, makeAuthority().ca]
  const elsewhere = await mountedConfigMap(t, one)
  const { file } = await mountedConfigMap(t, `clouds: { Lab: { authorityHost: 'https://login.lab', vaultSuffix: vault.lab, caCertificatesFile: ${elsewhere.file} } }`) // prettier-ignore
  const configuration = await watchConfiguration({ file, log: capturedLog().log, interval: 20 })
  t.teardown(() => configuration.close())
  const trusted = () => configuration.current().clouds['Lab']?.caCertificates
  t.equal(trusted(), one)
  await elsewhere.swap(two)
  await until(() => trusted() === two)
  t.equal(trusted(), two)
  await elsewhere.swap('no certificate')
  await until(() => configuration.problem() !== undefined)
  t.match(configuration.problem(), /^clouds\.Lab\.caCertificatesFile: .*there is no PEM certificate in it$/)
  t.equal(trusted(), two)
})

void t.test('nothing good to begin with', async (t) => {
  const { file } = await mountedConfigMap(t, 'report: 1\nimage: 2\n')
  await t.rejects(watchConfiguration({ file, log: capturedLog().log }), { message: `${file}: image: must be string; report: must be boolean` }) // prettier-ignore
  await t.rejects(watchConfiguration({ file: `${file}.none`, log: capturedLog().log }), /ENOENT/)
})
