import t, { type Test } from 'tap'
import { renderObject } from '../../../sidecar/render/render-object.ts'
import { RenderFailure } from '../../../sidecar/render/rendered.ts'
import { pemSecret, pkcs12Secret, secret, spec, texts, textsOf } from './objects.ts'
import { Pki } from './pki.ts'

const pki = new Pki(t)
const chain = pki.chain('P-256', 3)
const [leaf, authority, root] = chain.certificates as [string, string, string]
const container = pki.pkcs12(chain)

const place = 'vault my-kv, secret tls@v1:'
const onlyCertificates = `${place} certificates only, because the vault keeps the certificate's private key (it is not exportable)`
const anew = '; import the certificate into the vault anew, without a password'
const fails = (t: Test, what: Promise<unknown>, message: string) =>
  t.rejects(what, new RenderFailure(`${place} ${message}`))

void t.test('PEM', async (t) => {
  await t.test('is written verbatim: CRLF, order and text between the blocks', async (t) => {
    const text = `Bag Attributes\r\n${root}${leaf}\r\nsome text\n${chain.key}\r\n\r\n`.replaceAll('\n', '\r\n')
    t.strictSame(await textsOf(spec('tls'), pemSecret(text)), { tls: text })
  })

  await t.test('is split into files with LF, leaf to root', async (t) => {
    const text = `${root}${chain.key}text\n${leaf}${authority}`.replaceAll('\n', '\r\n')
    const expected = { 'a/tls.pem': text, 'a/tls.pem.crt': leaf + authority + root, 'a/tls.pem.key': chain.key }
    t.strictSame(await textsOf(spec('tls', { path: 'a/tls.pem', split: true }), pemSecret(text)), expected)
  })

  for (const [name, kind, args] of [
    ['PKCS#1', 'RSA 2048', ['rsa', '-traditional']],
    ['SEC 1', 'P-384', ['ec']],
    ['SEC 1 behind its parameters', 'P-256', ['ec']],
  ] as const) {
    await t.test(`a key in ${name} becomes PKCS#8 in .key`, async (t) => {
      const { key, certificates } = pki.chain(kind, 1)
      const parameters = name.includes('parameters') ? pki.openssl('ecparam', '-name', 'prime256v1').toString() : ''
      const old = parameters + pki.openssl(...args, '-in', pki.file(key)).toString()
      t.match(old, /BEGIN (RSA|EC) PRIVATE KEY/)
      const written = await textsOf(spec('tls', { split: true }), pemSecret(old + certificates[0]))
      t.equal(written['tls.key'], key)
    })
  }

  await t.test('stays PEM where pfx is asked for, with a warning', async (t) => {
    const rendered = await renderObject(spec('tls', { format: 'pfx' }), [pemSecret(chain.key + leaf)])
    t.strictSame(texts(rendered), { tls: chain.key + leaf })
    t.strictSame(rendered.warnings, [`${place} it is PEM in the vault, and so is its file, despite format pfx`])
  })

  await t.test('that cannot be read is written all the same, with a warning', async (t) => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    const rendered = await renderObject(spec('tls'), [pemSecret(broken)])
    t.strictSame(texts(rendered), { tls: broken })
    t.strictSame(rendered.warnings, [`${place} written as it is, but it holds a certificate that is not X.509`])
  })

  await t.test('that cannot be read cannot be split', async (t) => {
    const object = spec('tls', { split: true })
    await fails(t, renderObject(object, [pemSecret('hello')]), `it holds no certificate${anew}`)
    const locked = pki.openssl('pkey', '-in', pki.file(chain.key), '-aes256', '-passout', 'pass:secret').toString()
    const message = `it holds a private key that cannot be read: encrypted, damaged or of an unknown kind${anew}`
    await fails(t, renderObject(object, [pemSecret(locked + leaf)]), message)
  })

  await t.test('takes no encoding', async (t) => {
    const message = 'encoding base64 is not for a secret that belongs to a certificate, unless it is PKCS#12 with format pfx; leave encoding out' // prettier-ignore
    for (const format of ['pem', 'pfx'] as const) {
      await fails(t, renderObject(spec('tls', { encoding: 'base64', format }), [pemSecret(chain.key + leaf)]), message)
    }
  })
})

void t.test('a key that belongs to none of the certificates is a warning', async (t) => {
  const { warnings } = await renderObject(spec('tls'), [pemSecret(pki.key('P-256', 'another') + leaf)])
  t.strictSame(warnings, [`${place} its private key belongs to none of its certificates`])
})

void t.test('pfx', async (t) => {
  await t.test('is what the vault gives, base64 text', async (t) => {
    const rendered = await renderObject(spec('tls', { format: 'pfx' }), [pkcs12Secret(container)])
    t.strictSame(texts(rendered), { tls: container.toString('base64') })
    t.strictSame(rendered.warnings, [])
  })

  await t.test('is the container itself with encoding base64, and split beside it', async (t) => {
    const object = spec('tls', { format: 'pfx', encoding: 'base64', split: true })
    const { files } = await renderObject(object, [pkcs12Secret(container)])
    t.strictSame(Buffer.from(files[0]!.content), container)
    t.match(texts({ files }), { 'tls.crt': leaf + authority + root, 'tls.key': chain.key })
  })

  await t.test('that is damaged is written as it is, with a warning', async (t) => {
    const rendered = await renderObject(spec('tls', { format: 'pfx' }), [pkcs12Secret(container.subarray(0, -20))])
    t.strictSame(texts(rendered), { tls: container.subarray(0, -20).toString('base64') })
    t.match(rendered.warnings, [`${place} written as it is, but its PKCS#12 container cannot be opened without a password: `]) // prettier-ignore
  })

  await t.test('takes no encoding as PEM', async (t) => {
    await fails(
      t,
      renderObject(spec('tls', { encoding: 'hex' }), [pkcs12Secret(container)]),
      'encoding hex is not for a secret that belongs to a certificate, unless it is PKCS#12 with format pfx; leave encoding out',
    )
  })
})

void t.test('another content type', async (t) => {
  for (const [contentType, shown] of [
    ['text/plain', '"text/plain"'],
    [undefined, 'not set'],
    ['', 'not set'],
  ] as const) {
    const version = pemSecret(chain.key + leaf)
    if (contentType === undefined) delete version.contentType
    else version.contentType = contentType
    const message = `it belongs to a certificate, but its content type is ${shown}, neither application/x-pem-file nor application/x-pkcs12`
    await fails(t, renderObject(spec('tls'), [version]), message)
  }
})

void t.test('a key that is not exportable', async (t) => {
  const { certificates } = chain
  const versions = [pkcs12Secret(pki.pkcs12({ certificates })), pemSecret(certificates.join(''))]
  for (const version of versions) {
    await t.test(`${version.contentType}: certificates only, with a warning`, async (t) => {
      const rendered = await renderObject(spec('tls'), [version])
      t.strictSame(texts(rendered), { tls: certificates.join('') })
      t.strictSame(rendered.warnings, [onlyCertificates])
    })
    await t.test(`${version.contentType}: split fails`, async (t) => {
      const message =
        "split has no .key to write, because the vault keeps the certificate's private key (it is not exportable); make the key exportable in the certificate's policy, set optional, or leave split out"
      await fails(t, renderObject(spec('tls', { split: true }), [version]), message)
    })
    await t.test(`${version.contentType}: split writes no .key where the object is optional`, async (t) => {
      const rendered = await renderObject(spec('tls', { split: true, optional: true }), [version])
      t.strictSame(texts(rendered), { tls: certificates.join(''), 'tls.crt': certificates.join('') })
      t.strictSame(rendered.warnings, [onlyCertificates])
    })
  }
  await t.test('pfx as well', async (t) => {
    const { warnings } = await renderObject(spec('tls', { format: 'pfx' }), [versions[0]!])
    t.strictSame(warnings, [onlyCertificates])
  })
})

void t.test('history of a certificate, split', async (t) => {
  const next = pki.chain('P-384', 1)
  const object = spec('tls', { history: 2, split: true })
  t.strictSame(await textsOf(object, pkcs12Secret(pki.pkcs12(next)), pkcs12Secret(container)), {
    'tls/0': next.key + next.certificates[0],
    'tls/0.crt': next.certificates[0],
    'tls/0.key': next.key,
    'tls/1': chain.key + leaf + authority + root,
    'tls/1.crt': leaf + authority + root,
    'tls/1.key': chain.key,
  })
})

void t.test('a value that is no container', async (t) => {
  for (const [name, value, message] of [
    ['text', 'hello, world', 'the value is not base64: character 6, line breaks aside, is not of its alphabet'],
    ['base64 of something else', 'aGVsbG8=', /^its PKCS#12 container cannot be opened without a password: \S/],
    ['nothing', '', /^its PKCS#12 container cannot be opened without a password: \S/],
    ['a certificate', Buffer.from(leaf).toString('base64'), /^its PKCS#12 container cannot be opened without a password: \S/], // prettier-ignore
    ['one locked with a password', pki.pkcs12(chain, { arguments: ['-passout', 'pass:x'] }).toString('base64'), 'its PKCS#12 container cannot be opened without a password: its MAC does not hold, so it has a password or is damaged'], // prettier-ignore
    ['one without certificates', pki.pkcs12({ key: chain.key, certificates: [] }, { arguments: ['-nocerts'] }).toString('base64'), 'it holds no certificate'], // prettier-ignore
  ] as const) {
    await t.test(name, async (t) => {
      const version = secret(value, { keyId: 'kid', contentType: 'application/x-pkcs12' })
      const error = await renderObject(spec('tls'), [version]).then(() => undefined, (error: unknown) => error as Error) // prettier-ignore
      t.type(error, RenderFailure)
      t.ok(error?.message.startsWith(`${place} `), 'it names vault, object and version')
      t.ok(error?.message.endsWith(anew), 'and what to do')
      t.match(error?.message.slice(place.length + 1), message)
    })
  }
})
