import t, { type Test } from 'tap'
import { pkcs12Secret, texts } from './objects.ts'
import { renderObject } from '../../../shared/render/render-object.ts'
import { kinds, Pki, type Chain, type Kind } from '../../support/pki.ts'
import { objectSpec } from '../../support/object-spec.ts'

const pki = new Pki(t)

/** What OpenSSL itself says of a key and of the chain it belongs to. */
function checkByOpenssl(t: Test, { certificates }: Chain, key: string, chain: string) {
  const keyFile = pki.file(key)
  const chainFile = pki.file(chain)
  const publicKey = pki.openssl('pkey', '-in', keyFile, '-check', '-pubout').toString()
  t.match(
    publicKey,
    pki.openssl('x509', '-in', chainFile, '-noout', '-pubkey').toString(),
    'the first certificate is of the key',
  )
  const root = pki.file(certificates.at(-1) as string)
  pki.openssl('verify', '-purpose', 'sslserver', '-CAfile', root, '-untrusted', chainFile, chainFile)
}

const wrappings = [true, false].flatMap((legacy) =>
  [true, false].flatMap((named) => ['leaf to root', 'root to leaf'].map((order) => ({ legacy, named, order }))),
)

for (const kind of Object.keys(kinds) as Kind[]) {
  for (const length of [1, 2, 3, 4]) {
    void t.test(
      `certificate secret: OpenSSL reads the files of a PKCS#12 container with ${kind} and ${length} certificates`,
      async (t) => {
        const chain = pki.chain(kind, length)
        const whole = chain.key + chain.certificates.join('')
        // Every file written below is one of these, byte for byte.
        checkByOpenssl(t, chain, chain.key, chain.certificates.join(''))
        checkByOpenssl(t, chain, whole, whole)
        for (const { legacy, named, order } of wrappings) {
          const certificates = order === 'leaf to root' ? chain.certificates : chain.certificates.toReversed()
          const container = pki.pkcs12({ key: chain.key, certificates }, { legacy, named })
          const rendered = await renderObject(objectSpec('tls', { split: true }), [pkcs12Secret(container)])
          const name = `${order}, ${legacy ? 'legacy' : 'default'} encryption, ${named ? 'with' : 'without'} names`
          const authorities = chain.certificates.slice(1).join('')
          const expected = {
            tls: whole,
            'tls.crt': chain.certificates.join(''),
            'tls.key': chain.key,
            ...(authorities !== '' && { 'tls.ca.crt': authorities }),
          }
          t.strictSame(texts(rendered), expected, name)
          t.strictSame(rendered.warnings, [], `${name}: nothing to warn about`)
        }
      },
    )
  }
}
