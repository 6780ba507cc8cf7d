import t from 'tap'
import { readPem } from '../../../shared/render/certificates.ts'
import { renderObject } from '../../../shared/render/render-object.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { fetched, pemSecret, pkcs12Secret, secret, texts, textsOf } from './objects.ts'
import { Pki } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)
const chain = pki.chain('P-256', 3)
const [leaf, authority, root] = chain.certificates as [string, string, string]
const place = 'vault my-kv, secret tls@v1:'
const pfx = { format: 'pfx', convert: true } as const

/** What OpenSSL finds in a PKCS#12 file. */
const opened = (container: Uint8Array): string => {
  const text = pki.openssl('pkcs12', '-in', pki.file(container), '-passin', 'pass:', '-nodes').toString()
  const { key, certificates } = readPem(text)
  return `${key?.export({ type: 'pkcs8', format: 'pem' }) as string}${certificates.join('')}`
}

void t.test('pfx of PEM: with encoding base64 it is binary, leaf first, the same in each run', async (t) => {
  const version = pemSecret(root + chain.key + leaf + authority)
  const object = objectSpec('tls', { ...pfx, encoding: 'base64', split: true })
  const rendered = await renderObject(object, [version])
  t.equal(opened(rendered.files[0]!.content), chain.key + leaf + authority + root)
  t.match(texts(rendered), { 'tls.crt': leaf + authority + root, 'tls.key': chain.key, 'tls.ca.crt': authority + root })
  t.strictSame(rendered.warnings, [])
  t.strictSame((await renderObject(object, [version])).files[0], rendered.files[0], 'no change, no notification')
})

void t.test('pfx of PEM: without an encoding it is base64 text', async (t) => {
  const { tls = '' } = await textsOf(objectSpec('tls', pfx), pemSecret(chain.key + leaf))
  t.match(tls, /^[A-Za-z0-9+/]+=*$/)
  t.equal(opened(Buffer.from(tls, 'base64')), chain.key + leaf)
})

void t.test('pfx of PEM: an unreadable certificate is a failure', async (t) => {
  const message = `${place} it holds no certificate; import the certificate into the vault again, without a password`
  await t.rejects(renderObject(objectSpec('tls', pfx), [pemSecret('S3CR3T')]), new RenderFailure(message))
})

void t.test('pfx of PEM: encoding hex is not supported', async (t) => {
  await t.rejects(
    renderObject(objectSpec('tls', { ...pfx, encoding: 'hex' }), [pemSecret(chain.key + leaf)]),
    RenderFailure,
  )
})

void t.test('pfx of PKCS#12: the bytes are those of the vault', async (t) => {
  const container = pki.pkcs12(chain)
  const { files } = await renderObject(objectSpec('tls', { ...pfx, encoding: 'base64' }), [pkcs12Secret(container)])
  t.strictSame(Buffer.from(files[0]!.content), container)
})

const plain = (value: string | Buffer, contentType: string) =>
  secret(typeof value === 'string' ? value : value.toString('base64'), { contentType })

void t.test('plain secret: PKCS#12 counts as a certificate only with a written format or split', async (t) => {
  const version = plain(pki.pkcs12(chain), 'application/x-pkcs12')
  const whole = chain.key + leaf + authority + root
  t.strictSame(await textsOf(objectSpec('tls', { convert: true }), version), { tls: whole })
  t.strictSame(await textsOf(objectSpec('tls', { split: true }), version), {
    tls: whole,
    'tls.crt': leaf + authority + root,
    'tls.key': chain.key,
    'tls.ca.crt': authority + root,
  })
})

void t.test('plain secret: PEM counts as a certificate only if pfx or split requests it', async (t) => {
  const version = plain(chain.key + leaf, 'application/x-pem-file')
  const { files } = await renderObject(objectSpec('tls', { ...pfx, encoding: 'base64' }), [version])
  t.equal(opened(files[0]!.content), chain.key + leaf)
  t.strictSame(await textsOf(objectSpec('tls', { split: true }), version), {
    tls: chain.key + leaf,
    'tls.crt': leaf,
    'tls.key': chain.key,
  })
})

void t.test('plain secret: an encoding with the default format is decoded, as without a content type', async (t) => {
  const version = plain('aGk=', 'application/x-pkcs12')
  t.strictSame(await textsOf(objectSpec('tls', { encoding: 'base64', convert: true }), version), { tls: 'hi' })
})

void t.test('plain secret: split without a key is a failure', async (t) => {
  const message = `${place} split has no .key to write, because it holds no private key; set optional, or leave split out`
  const version = plain(leaf, 'application/x-pem-file')
  await t.rejects(renderObject(objectSpec('tls', { split: true }), [version]), new RenderFailure(message))
})

void t.test('truststore: it contains each certificate of a secret once, or the certificate', async (t) => {
  const truststore = { format: 'truststore', convert: true } as const
  for (const version of [
    secret(leaf + authority + root + leaf),
    pemSecret(chain.key + leaf + authority + root),
    pkcs12Secret(pki.pkcs12(chain)),
  ]) {
    const { files } = await renderObject(objectSpec('tls', truststore), [version])
    t.equal(opened(files[0]!.content), `undefined${leaf}${authority}${root}`)
  }
  const { raw } = readPem(root).certificates[0]!
  const { files } = await renderObject(objectSpec('tls', { ...truststore, type: 'cert' }), [
    fetched({ certificate: raw }),
  ])
  t.equal(opened(files[0]!.content), `undefined${root}`)
  const message = `${place} it holds no certificate`
  await t.rejects(renderObject(objectSpec('tls', truststore), [secret('S3CR3T')]), new RenderFailure(message))
})
