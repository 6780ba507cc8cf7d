import { createPrivateKey, X509Certificate } from 'node:crypto'
import t from 'tap'
import { makeAuthority } from '../emulator/tls.ts'
import { eventually } from './support/eventually.ts'
import * as sync from './support/sync.ts'
import { watchSecret } from './support/watch-secret.ts'

const serialOf = (pem = ''): string => new X509Certificate(pem).serialNumber
const fits = ({ 'tls.crt': certificate = '', 'tls.key': key = '' }: Record<string, string>): boolean =>
  new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))

const objects = {
  secrets: ['objectName: web', 'objectType: secret', 'objectAlias: key'],
  certificates: ['objectName: web', 'objectType: cert', 'objectAlias: certificate'],
}
const pair = {
  ...{ secretName: 'web', type: 'kubernetes.io/tls' },
  data: [
    { key: 'tls.key', objectName: 'key' },
    { key: 'tls.crt', objectName: 'certificate' },
  ],
}

// The object that the class names first is read first.
for (const [first, second] of [
  ['secrets', 'certificates'],
  ['certificates', 'secrets'],
] as const)
  void t.test(
    `sync rotation: rotated after the read of its ${first}, a key never meets a foreign certificate`,
    async (t) => {
      const fixture = await sync.makeSyncFixture(t, {})
      const { namespace, emulator, vault } = fixture
      const authority = makeAuthority()
      const rotate = async (): Promise<string> => {
        const { cert, key } = authority.issue({ names: ['web.example.com'] })
        await emulator.importCertificate(vault, 'web', key + cert)
        return serialOf(cert)
      }
      const versions = watchSecret(t, namespace, 'web')
      const has = (serial: string): Promise<boolean> =>
        eventually(`the Secret has the certificate ${serial}`, async () => {
          const latest = versions.at(-1)
          return latest !== undefined && serialOf(latest['tls.crt']) === serial
        })
      const newest = await rotate()
      const request = { objects: [objects[first], objects[second]], secretObjects: [pair] }
      await sync.applyRole(await sync.applyClass(t, fixture, request))
      await has(newest)

      for (let round = 0; round < 3; round++) {
        const reads = async (): Promise<number> => (await emulator.counts(vault))[`${first}.get`] ?? 0
        const before = await reads()
        const release = await emulator.fault({ match: { vault, operation: `${second}.get` }, fault: { kind: 'hold' } })
        await rotate()
        await eventually('the first of the two is read', async () => (await reads()) > before)
        const newest = await rotate()
        await release()
        await has(newest)
      }
      t.ok(versions.length >= 4, `the Secret was written ${versions.length} times`)
      t.strictSame(
        versions.map((pair) => fits(pair)),
        versions.map(() => true),
        'and each time the key fits its certificate',
      )
    },
  )
