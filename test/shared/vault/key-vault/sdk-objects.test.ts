import t from 'tap'
import { Incomplete, listed } from '../../../../shared/vault/key-vault/sdk-objects.ts'

void t.test('SDK objects: properties become attributes, in whole seconds', async (t) => {
  const at = (seconds: number) => new Date(seconds * 1000 + 999)
  t.strictSame(
    listed({
      name: 'web',
      version: 'v1',
      enabled: false,
      createdOn: at(1),
      updatedOn: at(2),
      expiresOn: at(3),
      notBefore: at(4),
      x509Thumbprint: Uint8Array.of(255, 239, 190),
    }),
    {
      name: 'web',
      version: 'v1',
      attributes: { enabled: false, created: 1, updated: 2, expires: 3, notBefore: 4, thumbprint: '_---' },
    },
  )
})

void t.test('SDK objects: invalid times are ignored', async (t) => {
  const never = new Date(8.64e15 + 1)
  const { attributes } = listed({ name: 'web', createdOn: never, updatedOn: never, expiresOn: never, notBefore: never })
  t.strictSame(attributes, { enabled: true }, 'are not there')
})

void t.test('SDK objects: missing attributes are tolerated, a missing name is a failure', async (t) => {
  t.strictSame(listed({ name: 'db' }), { name: 'db', version: undefined, attributes: { enabled: true } })
  t.throws(() => listed({ version: 'v1' }), Incomplete)
})
