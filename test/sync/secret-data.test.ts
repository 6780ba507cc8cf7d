import { X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import { readSecretObjects, type SecretRequest } from '../../sync/secret-objects.ts'
import { largestSecret, secretData } from '../../sync/secret-data.ts'
import { Pki } from '../support/pki.ts'
import { opaque, tls, type Entry } from './fixture.ts'

const requestOf = (entry: Entry): SecretRequest => readSecretObjects([entry]).requests[0] as SecretRequest
const filesOf = (files: Record<string, string | Uint8Array>) =>
  new Map(Object.entries(files).map(([path, content]) => [path, { content: Buffer.from(content) }]))

/** Returns the texts by key, or the problems. */
async function dataOf(entry: Entry, files: Record<string, string | Uint8Array>) {
  const data = await secretData(requestOf(entry), filesOf(files))
  if (!data.ok) return data.problems
  return Object.fromEntries(Array.from(data.value, ([key, value]) => [key, Buffer.from(value).toString()]))
}

void t.test('Secret data: values are the bytes of the files', async (t) => {
  const bytes = Buffer.from([0, 255, 10])
  const data = await secretData(
    requestOf(opaque('db', { a: 'x', b: 'x', c: 'dir/y' })),
    filesOf({ x: bytes, 'dir/y': 'ü\n' }),
  )
  t.strictSame(
    data.ok && new Map(Array.from(data.value, ([key, value]) => [key, Buffer.from(value).toString('hex')])),
    new Map([
      ['a', '00ff0a'],
      ['b', '00ff0a'],
      ['c', 'c3bc0a'],
    ]),
  )
})

void t.test('Secret data: half a set is refused, and a Secret of more than a mebibyte', async (t) => {
  t.match(await dataOf(opaque('db', { a: 'x', b: 'y' }), { x: '1' }), ['there is no y (for the key b)'])
  const half = 'x'.repeat(largestSecret / 2)
  t.match(await dataOf(opaque('db', { a: 'x', b: 'x' }), { x: half }), { a: half })
  t.match(await dataOf(opaque('db', { a: 'x', b: 'x', c: 'y' }), { x: half, y: '1' }), [/1048577 bytes.*split it/])
})

void t.test('Secret data: a registry login is a JSON object, and a message never has the value', async (t) => {
  const login = { ...opaque('pull', { '.dockerconfigjson': 'x' }), type: 'kubernetes.io/dockerconfigjson' }
  t.match(await dataOf(login, { x: '{"auths":{}}' }), { '.dockerconfigjson': '{"auths":{}}' })
  for (const canary of ['canary-1', '["canary-1"]', '"canary-1"', ''])
    t.strictSame(await dataOf(login, { x: canary }), [
      '.dockerconfigjson: the value is not a JSON object, which the type kubernetes.io/dockerconfigjson requires',
    ])
})

for (const kind of ['RSA 2048', 'P-256', 'P-521'] as const)
  void t.test(
    `Secret data: ${kind}: certificate and key of one object are split into the bytes that the driver writes`,
    async (t) => {
      const pki = new Pki(t)
      const { key, certificates } = pki.chain(kind, 3)
      // What Go's x509.MarshalPKCS1PrivateKey and MarshalECPrivateKey give is OpenSSL's traditional form.
      const command = kind.startsWith('RSA') ? 'rsa' : 'ec'
      const traditional = pki
        .openssl(command, '-in', pki.file(key), ...(command === 'rsa' ? ['-traditional'] : []))
        .toString()
      const expected = { 'tls.crt': certificates.join(''), 'tls.key': traditional }
      t.strictSame(await dataOf(tls('web', 'w'), { w: key + certificates.join('') }), expected, 'PEM, the key first')
      t.strictSame(
        await dataOf(tls('web', 'w'), { w: `text\n${certificates.join('more\n')}${key}` }),
        expected,
        'PEM with text',
      )
      t.strictSame(await dataOf(tls('web', 'w'), { w: pki.pkcs12({ key, certificates }) }), expected, 'PKCS#12')
      const apart = {
        ...tls('web', 'w'),
        data: [
          { key: 'tls.crt', objectName: 'c' },
          { key: 'tls.key', objectName: 'k' },
        ],
      }
      t.strictSame(await dataOf(apart, { c: certificates.join(''), k: traditional }), expected, 'two objects')
      await checkMismatch(t, pki, { key, certificates })
    },
  )

/** A pair that does not fit, or half of one, is never written. */
async function checkMismatch(
  t: Test,
  pki: Pki,
  { key, certificates }: { key: string; certificates: string[] },
): Promise<void> {
  const [leaf = '', ...issuers] = certificates
  const other = pki.key('P-256', 'other')
  t.strictSame(await dataOf(tls('web', 'w'), { w: other + certificates.join('') }), [
    'the private key of tls.key belongs to none of the certificates of tls.crt',
  ])
  t.match(await dataOf(tls('web', 'w'), { w: leaf }), [/no private key/])
  t.match(await dataOf(tls('web', 'w'), { w: key }), [/no certificate/])
  t.type(await dataOf(tls('web', 'w'), { w: 'canary-2' }), Array)
  t.notMatch(JSON.stringify(await dataOf(tls('web', 'w'), { w: 'canary-2' })), 'canary-2')
  const reordered = (await dataOf(tls('web', 'w'), { w: issuers.join('') + leaf + key })) as Record<string, string>
  t.equal(
    new X509Certificate(reordered['tls.crt'] ?? '').serialNumber,
    new X509Certificate(leaf).serialNumber,
    'the own certificate first',
  )
}
