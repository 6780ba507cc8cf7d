import { writeFileSync } from 'node:fs'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isAnchoredIn, isKeyOf, parseAuthorities, parseCertificates, parseLeaf, parsePair } from '../../certs/x509.ts'
import { openssl } from '../support/openssl.ts'

const directory = t.testdir()

/** A certificate by OpenSSL, with an elliptic key; self-signed unless an issuer is named. */
function make(name: string, { issuer, authority = false }: { issuer?: string; authority?: boolean } = {}) {
  const file = (ending: string) => join(directory, `${name}.${ending}`)
  const constraints = authority ? 'basicConstraints=critical,CA:TRUE' : 'basicConstraints=critical,CA:FALSE'
  writeFileSync(file('ext'), `${constraints}\nsubjectAltName=DNS:${name}.system.svc\n`)
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file('key'))
  openssl('req', '-new', '-key', file('key'), '-subj', `/CN=${name}`, '-out', file('csr'))
  const sign = issuer
    ? ['-CA', join(directory, `${issuer}.crt`), '-CAkey', join(directory, `${issuer}.key`)]
    : ['-signkey', file('key')]
  openssl('x509', '-req', '-in', file('csr'), ...sign, '-days', '2', '-extfile', file('ext'), '-out', file('crt'))
  return { certificate: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('key'), 'utf8') }
}

const root = make('root', { authority: true })
const other = make('other', { authority: true })
const middle = make('middle', { authority: true, issuer: 'root' })
const leaf = make('leaf', { issuer: 'root' })
const deep = make('deep', { issuer: 'middle' })
const alone = make('alone')

void t.test('certificates: a bundle is read certificate by certificate, and damaged ones are skipped', async (t) => {
  const damaged = root.certificate.replace(/[A-Za-z]{20}/, '####################')
  const cases: [string, string, number][] = [
    ['nothing', '', 0],
    ['no PEM', 'hello', 0],
    ['one', root.certificate, 1],
    ['two, with text around them', `# root\n${root.certificate}\n# other\n${other.certificate}`, 2],
    ['a damaged one beside a good one', damaged + other.certificate, 1],
    ['one that begins and does not end', root.certificate.slice(0, 200), 0],
    ['twice the same', root.certificate + root.certificate, 1],
  ]
  for (const [name, pem, count] of cases) t.equal(parseAuthorities(pem).length, count, name)
  const [first, second] = parseAuthorities(root.certificate + other.certificate)
  t.equal(
    first?.id,
    openssl('x509', '-in', join(directory, 'root.crt'), '-noout', '-fingerprint', '-sha256')
      .replace(/^.*=/, '')
      .replaceAll(':', '')
      .toLowerCase(),
  )
  t.not(first?.id, second?.id)
})

void t.test('certificates: a pair serves only if the key, the issuer and every name fit', async (t) => {
  const authorities = parseAuthorities(other.certificate + root.certificate)
  const question = { ...leaf, names: ['leaf.system.svc'], authorities }
  t.match(parseLeaf(question), { authority: authorities[1]!.id, pem: leaf.certificate, key: leaf.key })
  const cases: [string, Parameters<typeof parseLeaf>[0]][] = [
    ['another key', { ...question, key: other.key }],
    ['no key', { ...question, key: '' }],
    ['no certificate', { ...question, certificate: '' }],
    ['one name too few', { ...question, names: [...question.names, 'other.system.svc'] }],
    ['no authority of the injector', { ...question, authorities: parseAuthorities(other.certificate) }],
    [
      'an issuer of the same name with another key',
      { ...question, authorities: parseAuthorities(make('root', { authority: true }).certificate) },
    ],
  ]
  for (const [name, pair] of cases) t.equal(parseLeaf(pair), undefined, name)
})

void t.test('certificates: a key belongs to one certificate only', async (t) => {
  t.ok(isKeyOf(root.certificate, root.key))
  t.notOk(isKeyOf(root.certificate, other.key))
  t.notOk(isKeyOf('damaged', root.key))
  t.notOk(isKeyOf(root.certificate, 'damaged'))
})

void t.test('certificates: a mounted pair needs a certificate and the key of its leaf', async (t) => {
  t.match(parsePair({ certificate: deep.certificate + middle.certificate, key: deep.key }).chain, { length: 2 })
  t.throws(() => parsePair({ certificate: deep.certificate, key: middle.key }), /does not belong/)
  t.throws(() => parsePair({ certificate: '', key: middle.key }), /no certificate/)
})

void t.test('certificates: a bundle trusts a chain only if it contains one of its issuers', async (t) => {
  const cases: [string, string, string, boolean][] = [
    ['its issuer', leaf.certificate, root.certificate, true],
    ['its issuer among others', leaf.certificate, other.certificate + root.certificate, true],
    ['itself', alone.certificate, alone.certificate, true],
    ['the issuer of its issuer, which is in the chain', deep.certificate + middle.certificate, root.certificate, true],
    ['its issuer, and nothing above', deep.certificate, middle.certificate, true],
    ['not without the link between', deep.certificate, root.certificate, false],
    ['not another authority', leaf.certificate, other.certificate, false],
    ['not an empty bundle', leaf.certificate, '', false],
    [
      'a chain that goes round in circles',
      deep.certificate + deep.certificate + middle.certificate,
      other.certificate,
      false,
    ],
  ]
  for (const [name, chain, bundle, answer] of cases)
    t.equal(isAnchoredIn(parseCertificates(chain), bundle), answer, name)
  t.notOk(isAnchoredIn([], root.certificate))
})
