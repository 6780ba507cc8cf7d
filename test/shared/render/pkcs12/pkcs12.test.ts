import { createHash, createHmac, pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto'
import forge from 'node-forge'
import t from 'tap'
import { printCertificates, printPrivateKey } from '../../../../shared/render/certificates.ts'
import { readPkcs12 } from '../../../../shared/render/pkcs12/pkcs12.ts'
import { RenderFailure } from '../../../../shared/render/rendered.ts'
import { Pki } from '../../../support/pki.ts'

const pki = new Pki(t)
const { asn1 } = forge
const { SEQUENCE, OCTETSTRING, INTEGER, OID } = asn1.Type
const node = (type: number, value: string | forge.asn1.Asn1[]) =>
  asn1.create(asn1.Class.UNIVERSAL, type, Array.isArray(value), value)
const der = (value: forge.asn1.Asn1) => Buffer.from(asn1.toDer(value).getBytes(), 'latin1')

/** The key derivation of PKCS#12 with SHA-256 (RFC 7292, appendix B.2), for a MAC key of 32 bytes: one round of hashing suffices. */
function macKey(password: Buffer, salt: Buffer, iterations: number): Buffer {
  const fill = (bytes: Buffer) => {
    const length = Math.ceil(bytes.length / 64) * 64
    return Buffer.from(Array.from({ length }, (_, index) => bytes[index % bytes.length] as number))
  }
  let hash = Buffer.concat([Buffer.alloc(64, 3), fill(salt), fill(password)])
  for (let round = 0; round < iterations; round++) hash = createHash('sha256').update(hash).digest()
  return hash
}

/** Gives a container without a MAC one that holds for the password, in the bytes that PKCS#12 makes of it. */
function withMac(container: Buffer, password: Buffer): Buffer {
  const salt = randomBytes(8)
  const algorithm = node(SEQUENCE, [node(OID, asn1.oidToDer('2.16.840.1.101.3.4.2.1').getBytes())])
  const key = macKey(password, salt, 1000)
  return withMacOf(
    container,
    algorithm,
    (content) => createHmac('sha256', key).update(content, 'latin1').digest(),
    salt,
  )
}

function withMacOf(
  container: Buffer,
  algorithm: forge.asn1.Asn1,
  mac: (content: string) => Buffer,
  salt = randomBytes(8),
): Buffer {
  const pfx = asn1.fromDer(container.toString('latin1'))
  const [version, safe] = pfx.value as [forge.asn1.Asn1, forge.asn1.Asn1]
  const explicit = safe.value[1] as forge.asn1.Asn1
  const made = mac((explicit.value[0] as forge.asn1.Asn1).value as string)
  const digest = node(SEQUENCE, [algorithm, node(OCTETSTRING, made.toString('latin1'))])
  const data = [digest, node(OCTETSTRING, salt.toString('latin1')), node(INTEGER, asn1.integerToDer(1000).getBytes())]
  return der({ ...pfx, value: [version, safe, node(SEQUENCE, data)] })
}

/** Says of the MAC that its key is derived so often. */
function withIterations(container: Buffer, iterations: number): Buffer {
  const pfx = asn1.fromDer(container.toString('latin1'))
  const [version, safe, mac] = pfx.value as forge.asn1.Asn1[]
  const [digest, salt] = mac!.value as forge.asn1.Asn1[]
  const hex = iterations.toString(16)
  const count = Buffer.from(`00${hex.length % 2 ? '0' : ''}${hex}`, 'hex').toString('latin1')
  return der({ ...pfx, value: [version!, safe!, node(SEQUENCE, [digest!, salt!, node(INTEGER, count)])] })
}

/** Wraps the one plain key bag of a container that encrypts nothing. */
function replaceKey(pfx: forge.asn1.Asn1, wrap: (key: forge.asn1.Asn1) => forge.asn1.Asn1): forge.asn1.Asn1 {
  const { oids } = forge.pki
  const explicit = (pfx.value[1] as forge.asn1.Asn1).value[1] as forge.asn1.Asn1
  const inner = (value: forge.asn1.Asn1) => asn1.fromDer((value.value[0] as forge.asn1.Asn1).value as string)
  const safes = inner(explicit)
  for (const info of safes.value as forge.asn1.Asn1[]) {
    const data = info.value[1] as forge.asn1.Asn1
    const bags = inner(data)
    for (const bag of bags.value as forge.asn1.Asn1[]) {
      const [type, value] = bag.value as [forge.asn1.Asn1, forge.asn1.Asn1]
      if (asn1.derToOid(type.value as string) !== oids['keyBag']) continue
      type.value = asn1.oidToDer(oids['pkcs8ShroudedKeyBag'] as string).getBytes()
      value.value = [wrap(value.value[0] as forge.asn1.Asn1)]
    }
    data.value = [node(OCTETSTRING, der(bags).toString('latin1'))]
  }
  explicit.value = [node(OCTETSTRING, der(safes).toString('latin1'))]
  return pfx
}

const chain = pki.chain('P-256', 2)
const opens = async (container: Buffer) => {
  const { key, certificates } = await readPkcs12(container)
  return printPrivateKey(key!) + printCertificates(certificates)
}
const expected = chain.key + chain.certificates.join('')

const encryptions: [name: string, args: string[]][] = [
  ['PBES2', []],
  ['3DES and RC2', ['-legacy']],
  ['no encryption', ['-keypbe', 'NONE', '-certpbe', 'NONE']],
]
for (const [name, args] of encryptions) {
  void t.test(`PKCS#12: no MAC, ${name}`, async (t) => {
    t.equal(await opens(pki.pkcs12(chain, { arguments: ['-nomac', ...args] })), expected)
  })
  void t.test(`PKCS#12: a MAC with the empty password, ${name}`, async (t) => {
    const container = pki.pkcs12(chain, { arguments: ['-nomac', ...args] })
    t.equal(await opens(withMac(container, Buffer.of(0, 0))), expected)
  })
  void t.test(`PKCS#12: a MAC with another password, ${name}`, async (t) => {
    const container = withMac(pki.pkcs12(chain, { arguments: ['-nomac', ...args] }), Buffer.of(0, 120, 0, 0))
    const message =
      'its PKCS#12 container cannot be opened without a password: its MAC does not hold, so it has a password or is damaged'
    await t.rejects(opens(container), new RenderFailure(message))
  })
}
for (const [name, args] of [encryptions[0]!, encryptions[2]!]) {
  void t.test(`PKCS#12: a MAC without a password, ${name}`, async (t) => {
    const container = withMac(pki.pkcs12(chain, { arguments: ['-nomac', ...args] }), Buffer.alloc(0))
    t.equal(await opens(container), expected)
    pki.openssl('pkcs12', '-in', pki.file(container), '-passin', 'pass:', '-noout')
  })
}

void t.test('PKCS#12: a key that is encrypted without a password, with the old algorithms, is read', async (t) => {
  const plain = asn1.fromDer(pki.pkcs12(chain, { arguments: ['-nomac', ...encryptions[2]![1]] }).toString('latin1'))
  const wrap = (key: forge.asn1.Asn1) => {
    // The types ask for a password, the function does not.
    const password = undefined as unknown as string
    return forge.pki.encryptPrivateKeyInfo(key, password, { algorithm: '3des', count: 1000, saltSize: 8 })
  }
  const container = withMac(der(replaceKey(plain, wrap)), Buffer.alloc(0))
  t.equal(await opens(container), expected)
  const legacy = ['-legacy', '-passin', 'pass:', '-nodes', '-nocerts']
  t.match(pki.openssl('pkcs12', '-in', pki.file(container), ...legacy).toString(), chain.key, 'OpenSSL agrees')
})

void t.test('PKCS#12: a PBMAC1, as newer OpenSSL writes it, is accepted', async (t) => {
  const salt = randomBytes(16)
  const object = (id: string) => node(OID, asn1.oidToDer(id).getBytes())
  const whole = (value: number) => node(INTEGER, asn1.integerToDer(value).getBytes())
  const hmac = node(SEQUENCE, [object('1.2.840.113549.2.11')])
  for (const [password, opened] of [
    ['', true],
    ['x', false],
  ] as const) {
    const container = pki.pkcs12(chain, { arguments: ['-nomac'] })
    const key = pbkdf2Sync(password, salt, 3000, 64, 'sha512')
    const derivation = node(SEQUENCE, [
      object('1.2.840.113549.1.5.12'),
      node(SEQUENCE, [node(OCTETSTRING, salt.toString('latin1')), whole(3000), whole(64), hmac]),
    ])
    const algorithm = node(SEQUENCE, [object('1.2.840.113549.1.5.14'), node(SEQUENCE, [derivation, hmac])])
    const made = withMacOf(container, algorithm, (content) =>
      createHmac('sha512', key).update(content, 'latin1').digest(),
    )
    if (opened) t.equal(await opens(made), expected)
    else await t.rejects(opens(made), { name: 'RenderFailure', message: /its MAC does not hold/ })
  }
})

void t.test('PKCS#12: many iterations do not block other work, and too many are rejected', async (t) => {
  for (const args of [[], ['-legacy']]) {
    const container = pki.pkcs12(chain, { arguments: ['-iter', '20000', ...args] })
    let turns = 0
    const counting = setInterval(() => turns++)
    t.equal(await opens(container), expected)
    clearInterval(counting)
    t.ok(turns >= 5, `${turns} turns of the event loop`)
    const message =
      /cannot be opened without a password: its key derivation is repeated more than 1000000 times; export it again with fewer iterations$/
    await t.rejects(opens(withIterations(container, 1_000_001)), { name: 'RenderFailure', message })
    await t.rejects(opens(withIterations(container, 2 ** 60)), { name: 'RenderFailure', message })
  }
})

void t.test('PKCS#12: many parts with many iterations each are rejected as a whole', async (t) => {
  const pfx = asn1.fromDer(pki.pkcs12(chain, { arguments: ['-iter', '999999'] }).toString('latin1'))
  const explicit = (pfx.value[1] as forge.asn1.Asn1).value[1] as forge.asn1.Asn1
  const safes = asn1.fromDer((explicit.value[0] as forge.asn1.Asn1).value as string)
  const [certificates] = safes.value as [forge.asn1.Asn1]
  const many = { ...safes, value: Array.from({ length: 50 }, () => certificates) }
  explicit.value = [node(OCTETSTRING, der(many).toString('latin1'))]
  // Its MAC, the third part, does not hold any more.
  const withoutMac = { ...pfx, value: pfx.value.slice(0, 2) as forge.asn1.Asn1[] }
  const message =
    /: its key derivations are repeated more than 8000000 times in all; export it again with fewer iterations$/
  await t.rejects(opens(der(withoutMac)), { name: 'RenderFailure', message })
})

void t.test('PKCS#12: strings in pieces, as Windows writes them, are read', async (t) => {
  const pfx = asn1.fromDer(pki.pkcs12(chain, { arguments: ['-nomac'] }).toString('latin1'))
  const explicit = (pfx.value[1] as forge.asn1.Asn1).value[1] as forge.asn1.Asn1
  const content = (explicit.value[0] as forge.asn1.Asn1).value as string
  explicit.value = [
    node(
      OCTETSTRING,
      [content.slice(0, 400), content.slice(400)].map((part) => node(OCTETSTRING, part)),
    ),
  ]
  t.equal(await opens(der(pfx)), expected)
})

/** BER with lengths that are not known before, and the content of strings in pieces. */
function streamed({ tagClass, type, constructed, value }: forge.asn1.Asn1): Buffer {
  if (typeof value !== 'string')
    return Buffer.concat([Buffer.of(tagClass | 0x20 | type, 0x80), ...value.map(streamed), Buffer.of(0, 0)])
  const isString = tagClass === asn1.Class.CONTEXT_SPECIFIC || type === OCTETSTRING
  if (!isString || value.length < 100) return der(asn1.create(tagClass, type, constructed, value))
  const pieces = [value.slice(0, 64), value.slice(64)].map((piece) => der(node(OCTETSTRING, piece)))
  return Buffer.concat([Buffer.of(tagClass | 0x20 | type, 0x80), ...pieces, Buffer.of(0, 0)])
}

void t.test('PKCS#12: indefinite lengths, as Java writes them, are read', async (t) => {
  for (const args of [[], ['-legacy']]) {
    const container = streamed(asn1.fromDer(pki.pkcs12(chain, { arguments: args }).toString('latin1')))
    t.equal(await opens(container), expected)
  }
})

void t.test('PKCS#12: other hashes and ciphers are read', async (t) => {
  for (const args of [
    ['-macalg', 'sha1'],
    ['-macalg', 'sha384'],
    ['-macalg', 'sha512', '-keypbe', 'aes-128-cbc', '-certpbe', 'aes-192-cbc'],
    ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES'],
    ['-iter', '1'],
    ['-macalg', 'sha224'],
    ['-legacy', '-keypbe', 'PBE-SHA1-2DES', '-certpbe', 'PBE-SHA1-RC2-128'],
    ['-keypbe', 'des-ede3-cbc', '-certpbe', 'des-ede3-cbc'],
  ]) {
    t.equal(await opens(pki.pkcs12(chain, { arguments: args })), expected, args.join(' '))
  }
})

void t.test('PKCS#12: certificates are returned unchanged, whatever signed them', async (t) => {
  const key = pki.key('RSA 2048')
  const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20', '-sha384']
  const byEc = { certificate: pki.certificate('EC authority', pki.key('P-384'), 'ca'), key: pki.key('P-384') }
  const named = ['-utf8', '-set_serial', '0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00']
  for (const certificate of [
    pki.certificate('pss', key, 'leaf', undefined, ...pss),
    pki.certificate('RSA below EC', key, 'leaf', byEc),
    pki.certificate('Grüße 😀', key, 'leaf', undefined, ...named),
  ]) {
    const [read] = (await readPkcs12(pki.pkcs12({ key, certificates: [certificate] }))).certificates
    t.ok(read?.raw.equals(new X509Certificate(certificate).raw))
  }
})

void t.test('PKCS#12: a truncated container is rejected, and the reason quotes nothing of it', async (t) => {
  const container = pki.pkcs12(chain)
  for (let length = 0; length < container.length; length += 101) {
    await t.rejects(readPkcs12(container.subarray(0, length)), { name: 'RenderFailure', message: /^[ -~]{20,200}$/ })
  }
})
