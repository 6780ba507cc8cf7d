import t from 'tap'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { failureOf, startFixture, type EmulatorFixture } from './sdk.ts'

let fixture: EmulatorFixture
t.before(async () => {
  fixture = await startFixture()
  fixture.emulator.vault('my-kv')
})
t.teardown(() => fixture.end())

const created: [kty: 'RSA' | 'RSA-HSM' | 'EC' | 'EC-HSM', options: object, expected: object][] = [
  ['RSA', { keySize: 2048 }, { asymmetricKeyType: 'rsa', asymmetricKeyDetails: { modulusLength: 2048 } }],
  ['RSA-HSM', { keySize: 3072 }, { asymmetricKeyType: 'rsa', asymmetricKeyDetails: { modulusLength: 3072 } }],
  ['EC', { curve: 'P-256' }, { asymmetricKeyDetails: { namedCurve: 'prime256v1' } }],
  ['EC', { curve: 'P-384' }, { asymmetricKeyDetails: { namedCurve: 'secp384r1' } }],
  ['EC-HSM', { curve: 'P-521' }, { asymmetricKeyDetails: { namedCurve: 'secp521r1' } }],
]

/** The public key behind a JWK as the SDK gives it. */
function publicKeyOf(jwk: { kty?: string; crv?: string } & Partial<Record<'n' | 'e' | 'x' | 'y', Uint8Array>>) {
  const text = (value?: Uint8Array) => value && Buffer.from(value).toString('base64url')
  const { kty, crv, n, e, x, y } = jwk
  const plain = kty?.startsWith('RSA')
    ? { kty: 'RSA', n: text(n), e: text(e) }
    : { kty: 'EC', crv, x: text(x), y: text(y) }
  return createPublicKey({ key: plain as Record<string, string>, format: 'jwk' })
}

for (const [kty, options, expected] of created)
  void t.test(`emulator keys: a key is created and read back: ${kty} ${JSON.stringify(options)}`, async (t) => {
    const client = fixture.keys('my-kv')
    const name = `${kty}-${Object.values(options).join('')}`
    await client.createKey(name, kty, options)
    const { key, properties, keyOperations } = await client.getKey(name.toLowerCase())
    t.equal(key?.kty, kty)
    t.match(publicKeyOf(key as object), expected)
    t.equal(key?.kid, `${fixture.emulator.url('my-kv')}keys/${name}/${properties.version}`)
    t.ok(keyOperations?.includes('sign'))
    t.notOk(key?.d, 'never a private part')
  })

void t.test('emulator keys: an imported key is returned unchanged, without its private part', async (t) => {
  const client = fixture.keys('my-kv')
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  const bytes = (value: string | undefined) => Buffer.from(value ?? '', 'base64url')
  const { n, e, d, p, q, dp, dq, qi } = jwk
  // One zero byte too many in front, as some servers give it.
  const padded = Buffer.concat([Buffer.alloc(1), bytes(n)])
  await client.importKey('imported', {
    ...{
      kty: 'RSA',
      n: padded,
      e: bytes(e),
      d: bytes(d),
      p: bytes(p),
      q: bytes(q),
      dp: bytes(dp),
      dq: bytes(dq),
      qi: bytes(qi),
    },
    keyOps: ['sign', 'verify'],
  })
  const { key, keyOperations } = await client.getKey('imported')
  t.strictSame(Buffer.from(key?.n ?? []), padded)
  t.strictSame(keyOperations, ['sign', 'verify'])
  t.notOk(key?.d)
})

void t.test('emulator keys: a disabled key is returned and listed with enabled: false', async (t) => {
  const client = fixture.keys('my-kv')
  await client.createEcKey('switch', { curve: 'P-256' })
  await client.createEcKey('switch', { curve: 'P-384' })
  await client.updateKeyProperties('switch', { enabled: false })
  t.match(await client.getKey('switch'), { properties: { enabled: false }, key: { crv: 'P-384' } })
  const versions = []
  for await (const one of client.listPropertiesOfKeyVersions('switch')) versions.push(one.enabled)
  t.strictSame(versions.sort(), [false, true])
  const found = []
  for await (const one of client.listPropertiesOfKeys()) if (one.name === 'switch') found.push(one)
  t.match(found, [{ enabled: false, version: undefined }])
})

void t.test('emulator keys: a missing or deleted key is 404 KeyNotFound', async (t) => {
  const client = fixture.keys('my-kv')
  const gone = { status: 404, code: 'KeyNotFound' }
  t.match(await failureOf(client.getKey('absent')), gone)
  await client.createEcKey('gone')
  await (await client.beginDeleteKey('gone', { intervalInMs: 1 })).pollUntilDone()
  t.match(await failureOf(client.getKey('gone')), gone)
})

void t.test('emulator keys: an unknown key type is 400', async (t) => {
  t.match(await failureOf(fixture.keys('my-kv').createKey('symmetric', 'oct')), { status: 400, code: 'BadParameter' })
})
