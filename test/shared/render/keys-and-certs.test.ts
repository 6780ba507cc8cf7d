import { createPublicKey, X509Certificate, type JsonWebKey } from 'node:crypto'
import t from 'tap'
import { renderObject } from '../../../shared/render/render-object.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { fetched, textsOf } from './objects.ts'
import { kinds, Pki, type Kind } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)
const publicKey = (kind: Kind, name?: string) =>
  pki.openssl('pkey', '-in', pki.file(pki.key(kind, name)), '-pubout').toString()
const jwkOf = (pem: string) => createPublicKey(pem).export({ format: 'jwk' })
const object = objectSpec('signing', { type: 'key' })

for (const kind of Object.keys(kinds) as Kind[]) {
  for (const suffix of ['', '-HSM']) {
    void t.test(`keys: ${kind}${suffix} is written as the SPKI that OpenSSL writes`, async (t) => {
      const pem = publicKey(kind)
      const jwk = jwkOf(pem)
      t.strictSame(await textsOf(object, fetched({ key: { ...jwk, kty: `${jwk.kty}${suffix}` } })), { signing: pem })
    })
  }
}

const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')
const withoutZeros = (text: string | undefined) => {
  const number = bytes(text)
  return number.subarray(number.findIndex((byte) => byte !== 0)).toString('base64url')
}
const withZero = (text: string | undefined) => Buffer.concat([Buffer.of(0), bytes(text)]).toString('base64url')

void t.test('keys: EC coordinates without their leading zeros are padded', async (t) => {
  for (const kind of ['P-256', 'P-384', 'P-521'] as const) {
    let jwk: JsonWebKey
    let pem: string
    let tries = 0
    // One in 128 keys has a coordinate that begins with a zero byte; of P-521 nearly every other one.
    do {
      pem = publicKey(kind, `try ${++tries}`)
      jwk = jwkOf(pem)
    } while (bytes(jwk.x)[0] !== 0 && bytes(jwk.y)[0] !== 0)
    const short = { ...jwk, x: withoutZeros(jwk.x), y: withoutZeros(jwk.y) }
    t.not(short.x.length + short.y.length, (jwk.x ?? '').length + (jwk.y ?? '').length)
    t.strictSame(await textsOf(object, fetched({ key: short })), { signing: pem }, kind)
  }
})

void t.test('keys: RSA numbers with an extra leading zero are accepted', async (t) => {
  const pem = publicKey('RSA 2048')
  const jwk = jwkOf(pem)
  const long = { ...jwk, n: withZero(jwk.n), e: withZero(jwk.e) }
  t.strictSame(await textsOf(object, fetched({ key: long })), { signing: pem })
})

void t.test('keys: every version of a history is written', async (t) => {
  const [new_, old] = [publicKey('P-256'), publicKey('P-384')]
  const versions = [new_, old].map((pem) => fetched({ key: jwkOf(pem) }))
  t.strictSame(await textsOf(objectSpec('k', { type: 'key', history: 3 }), ...versions), { 'k/0': new_, 'k/1': old })
})

const wrongKeys: [name: string, key: JsonWebKey, message: string][] = [
  ['a symmetric key', { kty: 'oct-HSM' }, 'a key of type oct-HSM has no public part to write'],
  ['a key of no type', {}, 'a key of type undefined has no public part to write'],
  [
    'a curve of Bitcoin',
    { kty: 'EC', crv: 'P-256K', x: 'AA', y: 'AA' },
    'keys on the curve P-256K are not supported, only those on P-256, P-384 and P-521',
  ],
  [
    'a point that is not on the curve',
    { kty: 'EC-HSM', crv: 'P-256', x: 'AAAA', y: 'AAAA' },
    'its EC key is incomplete or not a valid one',
  ],
  ['a key without its modulus', { kty: 'RSA', e: 'AQAB' }, 'its RSA key is incomplete or not a valid one'],
]
for (const [name, key, message] of wrongKeys) {
  void t.test(`keys: ${name}`, async (t) => {
    await t.rejects(
      renderObject(object, [fetched({ key })]),
      new RenderFailure(`vault my-kv, key signing@v1: ${message}`),
    )
  })
}

void t.test('certificates: a leaf is written as the PEM that OpenSSL writes', async (t) => {
  for (const kind of Object.keys(kinds) as Kind[]) {
    const pem = pki.chain(kind, 1).certificates[0] as string
    const certificate = new Uint8Array(new X509Certificate(pem).raw)
    t.strictSame(await textsOf(objectSpec('web', { type: 'cert' }), fetched({ certificate })), { web: pem }, kind)
  }
})

void t.test('certificates: bytes that are not a certificate are a failure', async (t) => {
  await t.rejects(
    renderObject(objectSpec('web', { type: 'cert' }), [fetched({ certificate: Buffer.from('hello') })]),
    new RenderFailure('vault my-kv, cert web@v1: it holds a certificate that is not X.509'),
  )
})
