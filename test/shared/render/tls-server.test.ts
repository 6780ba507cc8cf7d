import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TlsOptions } from 'node:tls'
import t from 'tap'
import { renderObject } from '../../../shared/render/render-object.ts'
import { pemSecret, pkcs12Secret } from './objects.ts'
import { kinds, Pki, type Kind } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)

/** Serves with the options and returns the certificates that a client, which trusts the root only, was shown. */
async function handshake(options: TlsOptions, root: string): Promise<Buffer[]> {
  const server = createServer(options, (socket) => socket.end())
  try {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const client = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: root })
    await once(client, 'secureConnect')
    const shown: Buffer[] = []
    for (let next = client.getPeerCertificate(true); ; next = next.issuerCertificate) {
      shown.push(next.raw)
      if (!next.issuerCertificate || next.issuerCertificate === next) break
    }
    client.destroy()
    return shown
  } finally {
    server.close()
  }
}

for (const kind of Object.keys(kinds) as Kind[]) {
  void t.test(`split files: a TLS server accepts every file of a certificate with ${kind}`, async (t) => {
    const chain = pki.chain(kind, 3)
    const shuffled = chain.certificates.toReversed()
    const container = pki.pkcs12({ key: chain.key, certificates: shuffled })
    const pem = pemSecret(shuffled.join('') + chain.key)
    for (const [name, version, format] of [
      ['PKCS#12', pkcs12Secret(container), 'pem'],
      ['PEM', pem, 'pem'],
      ['PKCS#12 as it is', pkcs12Secret(container), 'pfx'],
    ] as const) {
      const encoding = format === 'pfx' ? 'base64' : 'utf-8'
      const { files } = await renderObject(objectSpec('tls', { split: true, format, encoding }), [version])
      const [whole, crt, key] = files.map(({ content }) => Buffer.from(content)) as [Buffer, Buffer, Buffer]
      const root = chain.certificates[2] as string
      t.equal((await handshake({ cert: crt, key }, root)).length, 3, `${name}: .crt and .key`)
      // PEM that is written verbatim has whatever order the vault has, so only what was made from PKCS#12 must serve as one file.
      if (name === 'PKCS#12')
        t.equal((await handshake({ cert: whole, key: whole }, root)).length, 3, `${name}: one file`)
      if (format === 'pfx') t.equal((await handshake({ pfx: whole, passphrase: '' }, root)).length, 3, name)
    }
  })
}
