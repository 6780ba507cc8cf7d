import t, { type Test } from 'tap'
import { renderObject } from '../../../shared/render/render-object.ts'
import { RenderFailure } from '../../../shared/render/rendered.ts'
import { pemSecret, pkcs12Secret, secret, texts, textsOf } from './objects.ts'
import { Pki } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)
const chain = pki.chain('P-256', 3)
const [leaf, authority, root] = chain.certificates as [string, string, string]
const container = pki.pkcs12(chain)

const place = 'vault my-kv, secret tls@v1:'
const onlyCertificates = `${place} certificates only, because the vault keeps the certificate's private key (it is not exportable)`
const remedy = '; import the certificate into the vault again, without a password'
const fails = (t: Test, what: Promise<unknown>, message: string) =>
  t.rejects(what, new RenderFailure(`${place} ${message}`))

void t.test('PEM secrets: a certificate is written as it is, or split', async (t) => {
  await t.test('PEM secret: it is written verbatim, with CRLF, order and text between the blocks', async (t) => {
    const text = `Bag Attributes\r\n${root}${leaf}\r\nsome text\n${chain.key}\r\n\r\n`.replaceAll('\n', '\r\n')
    t.strictSame(await textsOf(objectSpec('tls'), pemSecret(text)), { tls: text })
  })

  await t.test('PEM secret: split writes files with LF, from leaf to root', async (t) => {
    const text = `${root}${chain.key}text\n${leaf}${authority}`.replaceAll('\n', '\r\n')
    const expected = {
      'a/tls.pem': text,
      'a/tls.pem.crt': leaf + authority + root,
      'a/tls.pem.key': chain.key,
      'a/tls.pem.ca.crt': authority + root,
    }
    t.strictSame(await textsOf(objectSpec('tls', { path: 'a/tls.pem', split: true }), pemSecret(text)), expected)
  })

  for (const [name, kind, args] of [
    ['PKCS#1', 'RSA 2048', ['rsa', '-traditional']],
    ['SEC 1', 'P-384', ['ec']],
    ['SEC 1 behind its parameters', 'P-256', ['ec']],
  ] as const) {
    await t.test(`PEM secret: split writes a key in ${name} as PKCS#8`, async (t) => {
      const { key, certificates } = pki.chain(kind, 1)
      const parameters = name.includes('parameters') ? pki.openssl('ecparam', '-name', 'prime256v1').toString() : ''
      const old = parameters + pki.openssl(...args, '-in', pki.file(key)).toString()
      t.match(old, /BEGIN (RSA|EC) PRIVATE KEY/)
      const written = await textsOf(objectSpec('tls', { split: true }), pemSecret(old + certificates[0]))
      t.equal(written['tls.key'], key)
    })
  }

  await t.test('PEM secret: it stays PEM if pfx is requested, with a warning', async (t) => {
    const rendered = await renderObject(objectSpec('tls', { format: 'pfx' }), [pemSecret(chain.key + leaf)])
    t.strictSame(texts(rendered), { tls: chain.key + leaf })
    t.strictSame(rendered.warnings, [`${place} it is PEM in the vault, and so is its file, despite format pfx`])
  })

  await t.test('PEM secret: unreadable PEM is written as it is, with a warning', async (t) => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    const rendered = await renderObject(objectSpec('tls'), [pemSecret(broken)])
    t.strictSame(texts(rendered), { tls: broken })
    t.strictSame(rendered.warnings, [`${place} written as it is, but it holds a certificate that is not X.509`])
  })

  await t.test('PEM secret: unreadable PEM cannot be split', async (t) => {
    const object = objectSpec('tls', { split: true })
    await fails(t, renderObject(object, [pemSecret('hello')]), `it holds no certificate${remedy}`)
    const locked = pki.openssl('pkey', '-in', pki.file(chain.key), '-aes256', '-passout', 'pass:secret').toString()
    const message = `it holds a private key that cannot be read: encrypted, damaged or of an unknown kind${remedy}`
    await fails(t, renderObject(object, [pemSecret(locked + leaf)]), message)
  })

  await t.test('PEM secret: it takes no encoding', async (t) => {
    const message =
      'encoding base64 is not for a secret that belongs to a certificate, unless it is PKCS#12 with format pfx; leave encoding out'
    for (const format of ['pem', 'pfx'] as const) {
      await fails(
        t,
        renderObject(objectSpec('tls', { encoding: 'base64', format }), [pemSecret(chain.key + leaf)]),
        message,
      )
    }
  })
})

void t.test('PEM secret: a key that belongs to no certificate causes a warning', async (t) => {
  const { warnings } = await renderObject(objectSpec('tls'), [pemSecret(pki.key('P-256', 'another') + leaf)])
  t.strictSame(warnings, [`${place} its private key belongs to none of its certificates`])
})

void t.test('pfx secrets: a PKCS#12 container is written as it is, or split', async (t) => {
  await t.test('pfx secret: without an encoding it is the base64 text of the vault', async (t) => {
    const rendered = await renderObject(objectSpec('tls', { format: 'pfx' }), [pkcs12Secret(container)])
    t.strictSame(texts(rendered), { tls: container.toString('base64') })
    t.strictSame(rendered.warnings, [])
  })

  await t.test('pfx secret: with encoding base64 it is the container, with split files beside it', async (t) => {
    const object = objectSpec('tls', { format: 'pfx', encoding: 'base64', split: true })
    const { files } = await renderObject(object, [pkcs12Secret(container)])
    t.strictSame(Buffer.from(files[0]!.content), container)
    t.match(texts({ files }), { 'tls.crt': leaf + authority + root, 'tls.key': chain.key })
  })

  await t.test('pfx secret: a damaged container is written as it is, with a warning', async (t) => {
    const rendered = await renderObject(objectSpec('tls', { format: 'pfx' }), [
      pkcs12Secret(container.subarray(0, -20)),
    ])
    t.strictSame(texts(rendered), { tls: container.subarray(0, -20).toString('base64') })
    t.match(rendered.warnings, [
      `${place} written as it is, but its PKCS#12 container cannot be opened without a password: `,
    ])
  })

  await t.test('pfx secret: it takes no encoding as PEM', async (t) => {
    await fails(
      t,
      renderObject(objectSpec('tls', { encoding: 'hex' }), [pkcs12Secret(container)]),
      'encoding hex is not for a secret that belongs to a certificate, unless it is PKCS#12 with format pfx; leave encoding out',
    )
  })
})

void t.test('certificate secret: another content type is a failure that names it', async (t) => {
  for (const [contentType, shown] of [
    ['text/plain', '"text/plain"'],
    [undefined, 'not set'],
    ['', 'not set'],
  ] as const) {
    const version = pemSecret(chain.key + leaf)
    if (contentType === undefined) delete version.contentType
    else version.contentType = contentType
    const message = `it belongs to a certificate, but its content type is ${shown}, neither application/x-pem-file nor application/x-pkcs12`
    await fails(t, renderObject(objectSpec('tls'), [version]), message)
  }
})

void t.test('certificate secrets: without an exportable key only certificates are written', async (t) => {
  const { certificates } = chain
  const versions = [pkcs12Secret(pki.pkcs12({ certificates })), pemSecret(certificates.join(''))]
  for (const version of versions) {
    await t.test(
      `${version.contentType}: without an exportable key only the certificates are written, with a warning`,
      async (t) => {
        const rendered = await renderObject(objectSpec('tls'), [version])
        t.strictSame(texts(rendered), { tls: certificates.join('') })
        t.strictSame(rendered.warnings, [onlyCertificates])
      },
    )
    await t.test(`${version.contentType}: without an exportable key split fails`, async (t) => {
      const message =
        "split has no .key to write, because the vault keeps the certificate's private key (it is not exportable); make the key exportable in the certificate's policy, set optional, or leave split out"
      await fails(t, renderObject(objectSpec('tls', { split: true }), [version]), message)
    })
    await t.test(
      `${version.contentType}: without an exportable key split of an optional object writes no .key`,
      async (t) => {
        const rendered = await renderObject(objectSpec('tls', { split: true, optional: true }), [version])
        t.strictSame(texts(rendered), {
          tls: certificates.join(''),
          'tls.crt': certificates.join(''),
          ...(certificates.length > 1 && { 'tls.ca.crt': certificates.slice(1).join('') }),
        })
        t.strictSame(rendered.warnings, [onlyCertificates])
      },
    )
  }
  await t.test(
    'certificate secret: pfx without an exportable key contains only the certificates, with a warning',
    async (t) => {
      const { warnings } = await renderObject(objectSpec('tls', { format: 'pfx' }), [versions[0]!])
      t.strictSame(warnings, [onlyCertificates])
    },
  )
})

void t.test('history: every version of a certificate is split', async (t) => {
  const next = pki.chain('P-384', 1)
  const object = objectSpec('tls', { history: 2, split: true })
  t.strictSame(await textsOf(object, pkcs12Secret(pki.pkcs12(next)), pkcs12Secret(container)), {
    'tls/0': next.key + next.certificates[0],
    'tls/0.crt': next.certificates[0],
    'tls/0.key': next.key,
    'tls/1': chain.key + leaf + authority + root,
    'tls/1.crt': leaf + authority + root,
    'tls/1.key': chain.key,
    'tls/1.ca.crt': authority + root,
  })
})

void t.test('certificate secret: a value that is not a container fails', async (t) => {
  for (const [name, value, message] of [
    ['text', 'hello, world', 'the value is not base64: character 6, line breaks aside, is not of its alphabet'],
    ['base64 of something else', 'aGVsbG8=', /^its PKCS#12 container cannot be opened without a password: \S/],
    ['nothing', '', /^its PKCS#12 container cannot be opened without a password: \S/],
    [
      'a certificate',
      Buffer.from(leaf).toString('base64'),
      /^its PKCS#12 container cannot be opened without a password: \S/,
    ],
    [
      'one locked with a password',
      pki.pkcs12(chain, { arguments: ['-passout', 'pass:x'] }).toString('base64'),
      'its PKCS#12 container cannot be opened without a password: its MAC does not hold, so it has a password or is damaged',
    ],
    [
      'one without certificates',
      pki.pkcs12({ key: chain.key, certificates: [] }, { arguments: ['-nocerts'] }).toString('base64'),
      'it holds no certificate',
    ],
  ] as const) {
    await t.test(`certificate secret: it fails for ${name}`, async (t) => {
      const version = secret(value, { keyId: 'kid', contentType: 'application/x-pkcs12' })
      const error = await renderObject(objectSpec('tls'), [version]).then(
        () => undefined,
        (error: unknown) => error as Error,
      )
      t.type(error, RenderFailure)
      t.ok(error?.message.startsWith(`${place} `), 'it names vault, object and version')
      t.ok(error?.message.endsWith(remedy), 'and what to do')
      t.match(error?.message.slice(place.length + 1), message)
    })
  }
})
