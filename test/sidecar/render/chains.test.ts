import t from 'tap'
import { pemSecret, pkcs12Secret, spec, textsOf } from './objects.ts'
import { Pki } from './pki.ts'
import { inOrder, leafFirst, printCertificates, readPem } from '../../../sidecar/render/certificates.ts'

const pki = new Pki(t)

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))
}

for (const section of ['named', 'bare'] as const) {
  const chain = pki.chain('P-256', 4, section)
  const whole = chain.certificates.join('')
  void t.test(
    `any order becomes leaf to root, ${section === 'bare' ? 'by names' : 'by key identifiers'}`,
    async (t) => {
      for (const [index, certificates] of permutations(chain.certificates).entries()) {
        const withKey = pemSecret(chain.key + certificates.join(''))
        t.equal((await textsOf(spec('tls', { split: true }), withKey))['tls.crt'], whole, `${index}, with the key`)
        const withoutKey = pkcs12Secret(pki.pkcs12({ certificates }))
        t.strictSame(await textsOf(spec('tls'), withoutKey), { tls: whole }, `${index}, without the key`)
      }
    },
  )
}

void t.test('an incomplete chain keeps the order of the vault; .crt has the leaf first', async (t) => {
  const { key, certificates } = pki.chain('P-256', 4)
  const [leaf, first, , root] = certificates as [string, string, string, string]
  for (const [name, order] of [
    ['one is missing in between', [root, leaf, first]],
    ['a stranger among them', [pki.certificate('Stranger', pki.key('P-256', 'stranger'), 'ca'), leaf, first]],
    ['the leaf alone with its root', [root, leaf]],
    ['the leaf behind its issuer', [first, leaf, root]],
  ] as const) {
    const container = pki.pkcs12({ certificates: [...order] })
    t.strictSame(await textsOf(spec('tls'), pkcs12Secret(container)), { tls: order.join('') }, name)
    const split = await textsOf(spec('tls', { split: true }), pemSecret(order.join('') + key))
    const issuers = order.filter((other) => other === first)
    const rest = order.filter((other) => other !== leaf && other !== first)
    t.equal(split['tls.crt'], [leaf, ...issuers, ...rest].join(''), `${name}: .crt`)
  }
  const open = [first, leaf]
  const written = await textsOf(spec('tls'), pkcs12Secret(pki.pkcs12({ certificates: open })))
  t.strictSame(written, { tls: leaf + first }, 'a chain that only lacks its root is whole as far as it goes')
})

void t.test('of two authorities of one name without key identifiers, the one that signed comes next', async (t) => {
  const old = pki.key('P-256', 'old')
  const renewed = pki.key('P-256', 'renewed')
  const oldRoot = pki.certificate('Authority', old, 'bare-ca')
  const issuer = { certificate: pki.certificate('Authority', renewed, 'bare-ca'), key: renewed }
  const key = pki.key('P-256')
  const leaf = pki.certificate('leaf', key, 'bare-leaf', issuer)
  const split = await textsOf(spec('tls', { split: true }), pemSecret(oldRoot + leaf + issuer.certificate + key))
  t.equal(split['tls.crt'], leaf + issuer.certificate + oldRoot)
})

void t.test('of two authorities with one key, the one that the leaf names comes next', async (t) => {
  const authority = pki.key('P-256', 'authority of two names')
  const formerly = pki.certificate('Formerly', authority, 'ca')
  const issuer = { certificate: pki.certificate('Now', authority, 'ca'), key: authority }
  const key = pki.key('P-256')
  const leaf = pki.certificate('leaf', key, 'leaf', issuer)
  const split = await textsOf(spec('tls', { split: true }), pemSecret(formerly + leaf + issuer.certificate + key))
  t.equal(split['tls.crt'], leaf + issuer.certificate + formerly)
})

for (const [name, authority, end] of [
  ['an authority that may not sign certificates by its key usage', 'signing-ca', 'leaf'],
  ['an authority that was renewed under its name and key since it signed', 'ca', 'serial-leaf'],
] as const) {
  void t.test(`${name} still comes after its leaf`, async (t) => {
    const authorityKey = pki.key('P-256', name)
    const certificate = () => pki.certificate('Authority', authorityKey, authority)
    const key = pki.key('P-256')
    const leaf = pki.certificate('leaf', key, end, { certificate: certificate(), key: authorityKey })
    const now = certificate()
    t.equal((await textsOf(spec('tls', { split: true }), pemSecret(now + leaf + key)))['tls.crt'], leaf + now)
    const withoutKey = pkcs12Secret(pki.pkcs12({ certificates: [now, leaf] }))
    t.strictSame(await textsOf(spec('tls'), withoutKey), { tls: leaf + now })
  })
}

void t.test(
  'of two certificates of an authority, the one that the leaf names by its serial number comes next',
  async (t) => {
    const authority = pki.key('P-256', 'authority of two serial numbers')
    const [formerly, issuer] = [1, 2].map(() => pki.certificate('Authority', authority, 'ca')) as [string, string]
    const key = pki.key('P-256')
    const leaf = pki.certificate('leaf', key, 'serial-leaf', { certificate: issuer, key: authority })
    const split = await textsOf(spec('tls', { split: true }), pemSecret(formerly + leaf + issuer + key))
    t.ok(split['tls.crt']?.startsWith(leaf + issuer))
  },
)

void t.test('an incomplete chain with its key keeps the order of the vault in one file', async (t) => {
  const { key, certificates } = pki.chain('P-256', 4)
  const [leaf, first, , root] = certificates as [string, string, string, string]
  const certified = readPem(root + leaf + first + key)
  t.equal(printCertificates(inOrder(certified)), root + leaf + first)
  t.equal(printCertificates(leafFirst(certified)), leaf + first + root)
})

void t.test('a leaf that was renewed with its key: the first of the vault is the leaf', async (t) => {
  const { key, certificates } = pki.chain('P-256', 1)
  const other = pki.certificate('renewed', key, 'leaf')
  const split = await textsOf(spec('tls', { split: true }), pemSecret(other + certificates[0] + key))
  t.equal(split['tls.crt'], other + certificates[0])
})

void t.test('two authorities that certify each other do not go round in circles', async (t) => {
  const [one, two] = [pki.key('P-256', 'one'), pki.key('P-256', 'two')]
  const selfOne = { certificate: pki.certificate('One', one, 'ca'), key: one }
  const twoByOne = pki.certificate('Two', two, 'ca', selfOne)
  const oneByTwo = pki.certificate('One', one, 'ca', { certificate: twoByOne, key: two })
  t.strictSame(await textsOf(spec('tls'), pkcs12Secret(pki.pkcs12({ certificates: [twoByOne, oneByTwo] }))), {
    tls: twoByOne + oneByTwo,
  })
})
