import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeAuthority } from '../../emulator/tls.ts'
import { watchConfiguration } from '../../../webhook/configuration/file.ts'
import { until } from '../../support/until.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** A folder as the kubelet mounts a ConfigMap: the file is a link into `..data`, itself a link that is swapped. */
async function mountedConfigMap(t: Test, text: string) {
  const folder = temporaryFolder(t)
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

void t.test(
  'configuration file: a change is applied, a bad one is rejected and reported, and the next one applied',
  async (t) => {
    const { file, swap } = await mountedConfigMap(t, 'tenantId: one')
    const { log, lines } = capturedLog()
    const read: boolean[] = []
    const configuration = await watchConfiguration({
      file,
      log,
      onRead: (taken) => read.push(taken),
      intervalMs: 60_000,
    })
    t.teardown(() => configuration.close())
    t.equal(configuration.current().tenantId, 'one')
    t.equal(configuration.problem(), undefined)

    await swap('tenantId: two')
    await until("the file's tenant is two", () => configuration.current().tenantId === 'two')
    t.equal(configuration.current().tenantId, 'two')

    await swap('tenant: three')
    await until('a problem is reported', () => configuration.problem() !== undefined)
    t.equal(configuration.problem(), 'unknown field "tenant" (did you mean "tenantId"?)')
    t.equal(configuration.current().tenantId, 'two', 'the one before holds')
    t.match(lines.join(''), /"level":"error".*unknown field/)

    await swap('tenantId: four')
    await until("the file's tenant is four", () => configuration.current().tenantId === 'four')
    t.equal(configuration.current().tenantId, 'four')
    t.equal(configuration.problem(), undefined)
    t.strictSame(read, [true, true, false, true])
  },
)

void t.test('configuration file: returning to the applied file ends the error', async (t) => {
  const { file, swap } = await mountedConfigMap(t, 'tenantId: one')
  const configuration = await watchConfiguration({ file, log: capturedLog().log })
  t.teardown(() => configuration.close())
  await swap('nonsense')
  await until('a problem is reported', () => configuration.problem() !== undefined)
  t.ok(configuration.problem())
  await swap('tenantId: one')
  await until('the problem is gone', () => configuration.problem() === undefined)
  t.equal(configuration.problem(), undefined)
})

void t.test('configuration file: the configuration stays if the file disappears', async (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'configuration.yaml')
  await writeFile(file, 'tenantId: one')
  const configuration = await watchConfiguration({ file, log: capturedLog().log })
  t.teardown(() => configuration.close())
  await rm(file)
  await until('a problem is reported', () => configuration.problem() !== undefined)
  t.match(configuration.problem(), /ENOENT/)
  t.equal(configuration.current().tenantId, 'one')
  await writeFile(file, 'tenantId: one')
  await until('the problem is gone', () => configuration.problem() === undefined)
  t.equal(configuration.problem(), undefined)
})

void t.test('configuration file: a file that it names is read again, too', async (t) => {
  const [one, two] = [makeAuthority().ca, makeAuthority().ca]
  const elsewhere = await mountedConfigMap(t, one)
  const { file } = await mountedConfigMap(
    t,
    `clouds: { Lab: { authorityHost: 'https://login.lab', vaultSuffix: vault.lab, caCertificatesFile: ${elsewhere.file} } }`,
  )
  const configuration = await watchConfiguration({ file, log: capturedLog().log, intervalMs: 20 })
  t.teardown(() => configuration.close())
  const trusted = () => configuration.current().clouds['Lab']?.caCertificates
  t.equal(trusted(), one)
  await elsewhere.swap(two)
  await until('the new certificate is trusted', () => trusted() === two)
  t.equal(trusted(), two)
  await elsewhere.swap('no certificate')
  await until('a problem is reported', () => configuration.problem() !== undefined)
  t.match(configuration.problem(), /^clouds\.Lab\.caCertificatesFile: .*it has no PEM certificate$/)
  t.equal(trusted(), two)
})

void t.test('configuration file: the start fails without a valid one', async (t) => {
  const { file } = await mountedConfigMap(t, 'report: 1\nimage: 2\n')
  await t.rejects(watchConfiguration({ file, log: capturedLog().log }), {
    message: `${file}: image: must be string; report: must be boolean`,
  })
  await t.rejects(watchConfiguration({ file: `${file}.none`, log: capturedLog().log }), /ENOENT/)
})
