import t from 'tap'
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failureOf, startFixture, type EmulatorFixture } from './sdk.ts'
import { makeAuthority } from './tls.ts'
import { pemType, pkcs12Type } from './vault.ts'

let fixture: EmulatorFixture
let folder: string
t.before(async () => {
  fixture = await startFixture()
  fixture.emulator.vault('my-kv')
  folder = mkdtempSync(join(tmpdir(), 'emulator-certificates-'))
})
t.teardown(async () => {
  await fixture.end()
  rmSync(folder, { recursive: true })
})

const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })

/** A self-signed certificate by OpenSSL: key and certificate as PEM, and both as PKCS#12. */
function make(name: string, key: string[], password = '') {
  openssl(
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    ...key,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
  )
  openssl(
    'pkcs12',
    '-export',
    '-inkey',
    `${name}.key`,
    '-in',
    `${name}.crt`,
    '-passout',
    `pass:${password}`,
    '-out',
    `${name}.p12`,
  )
  const text = (suffix: string) => readFileSync(join(folder, `${name}.${suffix}`), 'utf8')
  return { key: text('key'), crt: text('crt'), p12: readFileSync(join(folder, `${name}.p12`)) }
}

const rsa = ['rsa:2048']
const ec = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const sha1 = (der: Buffer) => createHash('sha1').update(der).digest('hex')

void t.test('emulator certificates: a PKCS#12 import yields a matching certificate, secret and key', async (t) => {
  for (const [name, kind] of [
    ['web-rsa', rsa],
    ['web-ec', ec],
  ] as const) {
    const made = make(name, [...kind])
    const leaf = new X509Certificate(made.crt)
    const imported = await fixture.certificates('my-kv').importCertificate(name, made.p12)
    const { version } = imported.properties
    const read = await fixture.certificates('my-kv').getCertificate(name.toUpperCase())
    t.strictSame(Buffer.from(read.cer ?? []), leaf.raw)
    t.equal(Buffer.from(read.properties.x509Thumbprint ?? []).toString('hex'), sha1(leaf.raw))
    t.equal(read.properties.expiresOn?.getTime(), Date.parse(leaf.validTo))
    t.equal(read.properties.notBefore?.getTime(), Date.parse(leaf.validFrom))
    t.equal(read.secretId, `${fixture.emulator.url('my-kv')}secrets/${name}/${version}`)
    t.equal(read.keyId, `${fixture.emulator.url('my-kv')}keys/${name}/${version}`)

    const secret = await fixture.secrets('my-kv').getSecret(name)
    t.match(secret.properties, { contentType: pkcs12Type, version, managed: true, certificateKeyId: read.keyId })
    t.equal(secret.value, made.p12.toString('base64'), 'the container itself')
    const key = await fixture.keys('my-kv').getKey(name)
    t.match(key, { properties: { version, managed: true }, key: { kty: name === 'web-rsa' ? 'RSA' : 'EC' } })
  }
})

void t.test('emulator certificates: a PEM import keeps its text', async (t) => {
  const made = make('text', rsa)
  const text = `${made.crt}${made.key}`.replaceAll('\n', '\r\n')
  const policy = { contentType: pemType, issuerName: 'Unknown', subject: 'cn=text' } as const
  await fixture.certificates('my-kv').importCertificate('text', Buffer.from(text), { policy })
  const secret = await fixture.secrets('my-kv').getSecret('text')
  t.equal(secret.value, text)
  t.equal(secret.properties.contentType, pemType)
})

void t.test('emulator certificates: the certificate of the key is found anywhere in the chain', async (t) => {
  const authority = makeAuthority()
  const { key, cert } = authority.issue({ names: ['leaf.example'] })
  fixture.emulator
    .vault('my-kv')
    .importCertificate('chain', { value: authority.ca + cert + key, contentType: pkcs12Type })
  const { cer } = await fixture.certificates('my-kv').getCertificate('chain')
  t.strictSame(Buffer.from(cer ?? []), new X509Certificate(cert).raw)
  const { text } = opened((await fixture.secrets('my-kv').getSecret('chain')).value ?? '')
  t.equal(text.match(/BEGIN CERTIFICATE/g)?.length, 2, 'and the others are kept')
})

void t.test('emulator certificates: a PKCS#12 with a password is returned without one', async (t) => {
  const made = make('guarded', rsa, 'open sesame')
  const client = fixture.certificates('my-kv')
  t.match(await failureOf(client.importCertificate('guarded', made.p12)), { status: 400, code: 'BadParameter' })
  await client.importCertificate('guarded', made.p12, { password: 'open sesame' })
  const { value = '' } = await fixture.secrets('my-kv').getSecret('guarded')
  t.equal(opened(value).key, createPrivateKey(made.key).export({ type: 'pkcs8', format: 'pem' }))
})

/** What OpenSSL finds in a PKCS#12 container with an empty password. */
function opened(base64: string) {
  const input = Buffer.from(base64, 'base64')
  const options = ['pkcs12', '-legacy', '-nodes', '-passin', 'pass:']
  const text = execFileSync('openssl', options, { input, stdio: ['pipe', 'pipe', 'ignore'] }).toString()
  return { text, key: /-----BEGIN PRIVATE KEY-----[^]*-----END PRIVATE KEY-----\n/.exec(text)?.[0] }
}

void t.test('emulator certificates: a key that is not exportable is not in the secret', async (t) => {
  const made = make('fixed', rsa)
  const vault = fixture.emulator.vault('my-kv')
  // Not through the SDK: its importCertificate leaves the policy out of the request.
  for (const value of [made.p12.toString('base64'), made.key + made.crt]) {
    vault.importCertificate('fixed', { value, exportable: false })
    const secret = await fixture.secrets('my-kv').getSecret('fixed')
    const text = secret.properties.contentType === pemType ? secret.value : opened(secret.value ?? '').text
    t.match(text, 'BEGIN CERTIFICATE')
    t.notMatch(text, 'PRIVATE KEY')
  }
})

void t.test('emulator certificates: PEM can be returned as PKCS#12, and PKCS#12 as PEM', async (t) => {
  const made = make('turned', rsa)
  const vault = fixture.emulator.vault('my-kv')
  const key = createPrivateKey(made.key).export({ type: 'pkcs8', format: 'pem' })
  vault.importCertificate('turned', { value: made.key + made.crt, contentType: pkcs12Type })
  t.equal(opened((await fixture.secrets('my-kv').getSecret('turned')).value ?? '').key, key)
  vault.importCertificate('turned', { value: made.p12.toString('base64'), contentType: pemType })
  t.equal((await fixture.secrets('my-kv').getSecret('turned')).value, `${key.toString()}${made.crt}`)
})

void t.test('emulator certificates: a disabled certificate is returned, but its secret is not', async (t) => {
  const client = fixture.certificates('my-kv')
  const { properties } = await client.importCertificate('switch', make('switch', rsa).p12)
  await client.updateCertificateProperties('switch', properties.version ?? '', { enabled: false })
  t.equal((await client.getCertificate('switch')).properties.enabled, false)
  t.match(await failureOf(fixture.secrets('my-kv').getSecret('switch')), { status: 403, inner: 'SecretDisabled' })
  t.equal((await fixture.keys('my-kv').getKey('switch')).properties.enabled, false)
})

void t.test('emulator certificates: a pending certificate has no contents until an import completes it', async (t) => {
  const client = fixture.certificates('my-kv')
  fixture.emulator.vault('my-kv').setPendingCertificate('coming')
  const pending = await client.getCertificate('coming')
  t.match(pending, {
    name: 'coming',
    cer: undefined,
    secretId: undefined,
    properties: { enabled: false, x509Thumbprint: undefined },
  })
  t.match(await failureOf(fixture.secrets('my-kv').getSecret('coming')), { status: 404, code: 'SecretNotFound' })
  await client.importCertificate('coming', make('coming', rsa).p12)
  t.ok((await client.getCertificate('coming')).cer)
  const versions = []
  for await (const one of client.listPropertiesOfCertificateVersions('coming')) versions.push(one)
  t.equal(versions.length, 1)
})

void t.test('emulator certificates: a list has the thumbprint and the managed secret', async (t) => {
  const made = make('listed', ec)
  await fixture
    .certificates('listing')
    .importCertificate('listed', made.p12)
    .catch(() => {})
  fixture.emulator.vault('listing').importCertificate('listed', { value: made.p12.toString('base64') })
  const certificates = []
  for await (const one of fixture.certificates('listing').listPropertiesOfCertificates()) certificates.push(one)
  t.equal(certificates.length, 1)
  t.equal(Buffer.from(certificates[0]?.x509Thumbprint ?? []).toString('hex'), sha1(new X509Certificate(made.crt).raw))
  const secrets = []
  for await (const one of fixture.secrets('listing').listPropertiesOfSecrets()) secrets.push(one)
  t.match(secrets, [{ name: 'listed', managed: true, contentType: pkcs12Type }])
})

void t.test('emulator certificates: deleting a certificate deletes its secret and key', async (t) => {
  const client = fixture.certificates('my-kv')
  await client.importCertificate('gone', make('gone', ec).p12)
  await (await client.beginDeleteCertificate('gone', { intervalInMs: 1 })).pollUntilDone()
  t.match(await failureOf(client.getCertificate('gone')), { status: 404, code: 'CertificateNotFound' })
  t.match(await failureOf(fixture.secrets('my-kv').getSecret('gone')), { status: 404, code: 'SecretNotFound' })
  t.match(await failureOf(fixture.keys('my-kv').getKey('gone')), { status: 404, code: 'KeyNotFound' })
})

void t.test('emulator certificates: an import that is not a certificate with its key is 400', async (t) => {
  const bad = { status: 400, code: 'BadParameter' }
  const { crt } = make('half', rsa)
  const policy = { contentType: pemType, issuerName: 'Unknown', subject: 'cn=half' } as const
  const client = fixture.certificates('my-kv')
  t.match(await failureOf(client.importCertificate('half', Buffer.from(crt), { policy })), bad)
  t.match(await failureOf(client.importCertificate('half', Buffer.from('nonsense'))), bad)
})
