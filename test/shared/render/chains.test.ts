import t from 'tap'
import { inOrder, printCertificates, readPem } from '../../../shared/render/certificates.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { pemSecret, pkcs12Secret, textsOf } from './objects.ts'
import { Pki } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))
}

for (const section of ['named', 'bare'] as const) {
  const chain = pki.chain('P-256', 4, section)
  const whole = chain.certificates.join('')
  void t.test(
    `chains: any order becomes leaf to root, ${section === 'bare' ? 'by names' : 'by key identifiers'}`,
    async (t) => {
      for (const [index, certificates] of permutations(chain.certificates).entries()) {
        const withKey = pemSecret(chain.key + certificates.join(''))
        t.equal(
          (await textsOf(objectSpec('tls', { split: true }), withKey))['tls.crt'],
          whole,
          `${index}, with the key`,
        )
        const withoutKey = pkcs12Secret(pki.pkcs12({ certificates }))
        t.strictSame(await textsOf(objectSpec('tls'), withoutKey), { tls: whole }, `${index}, without the key`)
      }
    },
  )
}

void t.test('chains: a missing or unrelated certificate does not affect the order of the others', async (t) => {
  const { key, certificates } = pki.chain('P-256', 4)
  const [leaf, first, second, root] = certificates as [string, string, string, string]
  const stranger = pki.certificate('Stranger', pki.key('P-256', 'stranger'), 'ca')
  const foreign = pki.certificate('foreign', pki.key('P-256', 'foreign'), 'leaf')
  for (const [name, given, wanted] of [
    ['one is missing in between', [root, leaf, first], [leaf, first, root]],
    ['what is above the gap is in order too', [root, second, leaf], [leaf, second, root]],
    ['a stranger among them', [stranger, leaf, first], [leaf, first, stranger]],
    ['the leaf alone with its root', [root, leaf], [leaf, root]],
    ['the leaf behind its issuer', [first, leaf, root], [leaf, first, root]],
    ['no root', [first, leaf], [leaf, first]],
    ['the certificate of another server', [foreign, first, leaf], [leaf, first, foreign]],
    ['the leaf twice', [root, second, first, leaf, leaf], certificates],
    [
      'everything twice, and a stranger',
      [stranger, ...certificates.toReversed(), ...certificates],
      [...certificates, stranger],
    ],
  ] as const) {
    const container = pkcs12Secret(pki.pkcs12({ certificates: [...given] }))
    t.strictSame(await textsOf(objectSpec('tls'), container), { tls: wanted.join('') }, `${name}, without the key`)
    const verbatim = given.join('') + key
    const split = await textsOf(objectSpec('tls', { split: true }), pemSecret(verbatim))
    const authorities = wanted.slice(1).join('')
    const expected = {
      tls: verbatim,
      'tls.crt': wanted.join(''),
      'tls.key': key,
      ...(authorities !== '' && { 'tls.ca.crt': authorities }),
    }
    t.strictSame(split, expected, `${name}, with the key`)
  }
})

/** What OpenSSL says of a certificate's public key, and of one certificate as the issuer of another, each looked up once. */
const publicKeys = new Map<string, string>()
const issued = new Map<string, boolean>()

function publicKeyOf(certificate: string): string {
  const known = publicKeys.get(certificate)
  if (known !== undefined) return known
  const made = pki.openssl('x509', '-in', pki.file(certificate), '-noout', '-pubkey').toString()
  publicKeys.set(certificate, made)
  return made
}

function isIssuer(issuer: string, subject: string): boolean {
  const pair = issuer + subject
  if (!issued.has(pair)) {
    const files = ['-trusted', pki.file(issuer), pki.file(subject)]
    try {
      pki.openssl('verify', '-partial_chain', '-no-CAfile', '-no-CApath', ...files)
      issued.set(pair, true)
    } catch {
      issued.set(pair, false)
    }
  }
  return issued.get(pair) === true
}

/** What OpenSSL says of certificates in the order given: which of them the key belongs to, and indices of each one's issuers. */
function judge(key: string, certificates: readonly string[]) {
  const publicKey = pki.openssl('pkey', '-in', pki.file(key), '-pubout').toString()
  return {
    owned: certificates.map((certificate) => publicKeyOf(certificate) === publicKey),
    issuersOf: (subject: number) =>
      certificates.flatMap((issuer, index) =>
        index !== subject && isIssuer(issuer, certificates[subject] ?? '') ? [index] : [],
      ),
  }
}

/** Certificates of every kind that one file may hold; the key's own are the first `own` ones. */
function zoo() {
  const key = pki.key('P-256', 'zoo')
  const authority = (name: string, issuer?: { certificate: string; key: string }, named = name) => {
    const own = pki.key('P-256', `zoo ${named}`)
    return { key: own, certificate: pki.certificate(name, own, 'ca', issuer) }
  }
  const [oldRoot, newRoot, strangeRoot] = ['Old root', 'New root', 'Strange root'].map((name) => authority(name)) as [
    Issuer,
    Issuer,
    Issuer,
  ]
  const upper = authority('Upper', newRoot)
  const lower = authority('Lower', upper)
  const crossed = authority('Upper', oldRoot)
  const strange = authority('Strange', strangeRoot)
  const leaf = pki.certificate('zoo', key, 'leaf', lower)
  const other = pki.certificate('zoo', key, 'leaf', lower)
  const foreign = pki.certificate('foreign', pki.key('P-256', 'foreign'), 'leaf', strange)
  const parts = { leaf, other, lower, crossed, upper, oldRoot, newRoot, foreign, strange, strangeRoot }
  const pem = (part: string | Issuer) => (typeof part === 'string' ? part : part.certificate)
  return { key, parts: Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, pem(part)])) }
}

type Issuer = { certificate: string; key: string }

void t.test('chains: the own certificate comes first, each once, none behind its issuer', async (t) => {
  const { key, parts } = zoo()
  const seed = Number(process.env['CHAIN_SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`CHAIN_SEED=${seed}`)
  const random = seededRandom(seed)
  const all = Object.values(parts)
  const names = new Map(Object.entries(parts).map(([name, pem]) => [pem, name]))
  for (let round = 0; round < 12; round++) {
    const chosen = all.filter((pem) => pem === parts['leaf'] || random() < 0.7)
    const doubled = chosen.filter(() => random() < 0.4)
    const given = [...chosen, ...doubled]
      .map((pem) => [random(), pem] as const)
      .sort(([one], [other]) => one - other)
      .map(([, pem]) => pem)
    const split = await textsOf(objectSpec('tls', { split: true }), pemSecret(given.join('') + key))
    t.equal(split['tls'], given.join('') + key, 'PEM stays as it is')
    const { tls = '' } = await textsOf(objectSpec('tls'), pkcs12Secret(pki.pkcs12({ key, certificates: given })))
    t.ok(tls.startsWith(key), 'the key first')
    for (const text of [tls.slice(key.length), split['tls.crt'] ?? '']) {
      const found = text.split(/(?<=-----END CERTIFICATE-----\n)/)
      const shown = found.map((pem) => names.get(pem)).join(' ')
      t.strictSame(found.toSorted(), chosen.toSorted(), `each once: ${shown}`)
      const { owned, issuersOf } = judge(key, found)
      t.ok(owned[0], 'the own certificate first')
      for (const [index, pem] of found.entries()) {
        // The first one's chain is not torn for a second certificate of the key.
        if (index > 0 && owned[index]) continue
        for (const issuer of issuersOf(index))
          t.ok(issuer > index, `${names.get(pem)} before ${names.get(found[issuer] ?? '')}`)
      }
    }
  }
})

void t.test('chains: both certificates of a cross-signed authority come before the roots', async (t) => {
  const { key, parts } = zoo()
  const names = ['leaf', 'lower', 'upper', 'crossed', 'newRoot', 'oldRoot']
  const given = names.map((name) => parts[name] ?? '')
  for (const order of [given, given.toReversed()]) {
    const split = await textsOf(objectSpec('tls', { split: true }), pemSecret(order.join('') + key))
    const found = (split['tls.crt'] ?? '').split(/(?<=-----END CERTIFICATE-----\n)/)
    const shown = found.map((pem) => names[given.indexOf(pem)])
    t.strictSame(shown.slice(0, 2), ['leaf', 'lower'])
    t.strictSame(shown.slice(2, 4).toSorted(), ['crossed', 'upper'])
    t.strictSame(shown.slice(4).toSorted(), ['newRoot', 'oldRoot'])
  }
})

void t.test(
  'chains: of two certificates of the key, the longest valid one comes first, before a self-signed one',
  async (t) => {
    const { key, parts } = zoo()
    const { lower = '' } = parts
    const issuer = { certificate: lower, key: pki.key('P-256', 'zoo Lower') }
    const [older, newer] = ['7', '8'].map((days) => pki.certificate('zoo', key, 'leaf', issuer, '-days', days)) as [
      string,
      string,
    ]
    const placeholder = pki.certificate('zoo', key, 'leaf', undefined, '-days', '9')
    for (const given of permutations([older, newer, placeholder, lower])) {
      const split = await textsOf(objectSpec('tls', { split: true }), pemSecret(given.join('') + key))
      t.ok(split['tls.crt']?.startsWith(newer + lower), 'the newer one and its issuer')
    }
  },
)

void t.test(
  'chains: of two authorities with one name and no key identifiers, the one that signed comes next',
  async (t) => {
    const old = pki.key('P-256', 'old')
    const renewed = pki.key('P-256', 'renewed')
    const oldRoot = pki.certificate('Authority', old, 'bare-ca')
    const issuer = { certificate: pki.certificate('Authority', renewed, 'bare-ca'), key: renewed }
    const key = pki.key('P-256')
    const leaf = pki.certificate('leaf', key, 'bare-leaf', issuer)
    const split = await textsOf(
      objectSpec('tls', { split: true }),
      pemSecret(oldRoot + leaf + issuer.certificate + key),
    )
    t.equal(split['tls.crt'], leaf + issuer.certificate + oldRoot)
  },
)

void t.test('chains: of two authorities with one key, the one that the leaf names comes next', async (t) => {
  const authority = pki.key('P-256', 'authority of two names')
  const formerly = pki.certificate('Formerly', authority, 'ca')
  const issuer = { certificate: pki.certificate('Now', authority, 'ca'), key: authority }
  const key = pki.key('P-256')
  const leaf = pki.certificate('leaf', key, 'leaf', issuer)
  const split = await textsOf(objectSpec('tls', { split: true }), pemSecret(formerly + leaf + issuer.certificate + key))
  t.equal(split['tls.crt'], leaf + issuer.certificate + formerly)
})

for (const [name, authority, end] of [
  ['an authority that may not sign certificates by its key usage', 'signing-ca', 'leaf'],
  ['an authority that was renewed under its name and key since it signed', 'ca', 'serial-leaf'],
] as const) {
  void t.test(`chains: ${name} still comes after its leaf`, async (t) => {
    const authorityKey = pki.key('P-256', name)
    const certificate = () => pki.certificate('Authority', authorityKey, authority)
    const key = pki.key('P-256')
    const leaf = pki.certificate('leaf', key, end, { certificate: certificate(), key: authorityKey })
    const now = certificate()
    t.equal((await textsOf(objectSpec('tls', { split: true }), pemSecret(now + leaf + key)))['tls.crt'], leaf + now)
    const withoutKey = pkcs12Secret(pki.pkcs12({ certificates: [now, leaf] }))
    t.strictSame(await textsOf(objectSpec('tls'), withoutKey), { tls: leaf + now })
  })
}

void t.test(
  'chains: of two certificates of an authority, the one that the leaf names by serial number comes next',
  async (t) => {
    const authority = pki.key('P-256', 'authority of two serial numbers')
    const [formerly, issuer] = [1, 2].map(() => pki.certificate('Authority', authority, 'ca')) as [string, string]
    const key = pki.key('P-256')
    const leaf = pki.certificate('leaf', key, 'serial-leaf', { certificate: issuer, key: authority })
    const split = await textsOf(objectSpec('tls', { split: true }), pemSecret(formerly + leaf + issuer + key))
    t.ok(split['tls.crt']?.startsWith(leaf + issuer))
  },
)

void t.test('chains: too many certificates to compare keep their order behind the own one', async (t) => {
  const { key, certificates } = pki.chain('P-256', 4)
  const [leaf, ...issuers] = certificates as [string, string, string, string]
  const strangers = Array.from({ length: 38 }, (_, index) =>
    pki.certificate(`Stranger ${index}`, pki.key('P-256', 'stranger'), 'ca'),
  )
  const given = [...strangers, ...issuers.toReversed(), leaf]
  t.equal(
    printCertificates(await inOrder(readPem(given.join('') + key))),
    [leaf, ...strangers, ...issuers.toReversed()].join(''),
  )
  t.equal(printCertificates(await inOrder(readPem(given.join('')))), given.join(''), 'without a key all of it')
})

void t.test('chains: two authorities that certify each other do not cause an endless loop', async (t) => {
  const [one, two] = [pki.key('P-256', 'one'), pki.key('P-256', 'two')]
  const selfOne = { certificate: pki.certificate('One', one, 'ca'), key: one }
  const twoByOne = pki.certificate('Two', two, 'ca', selfOne)
  const oneByTwo = pki.certificate('One', one, 'ca', { certificate: twoByOne, key: two })
  t.strictSame(await textsOf(objectSpec('tls'), pkcs12Secret(pki.pkcs12({ certificates: [twoByOne, oneByTwo] }))), {
    tls: twoByOne + oneByTwo,
  })
})
