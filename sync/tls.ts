import { type KeyObject } from 'node:crypto'
import { inOrder, printCertificates, readPem, type CertifiedKey } from '../shared/render/certificates.ts'
import { textOf } from '../shared/render/contents.ts'
import { reasonOf, RenderFailure } from '../shared/render/rendered.ts'
import { fail, ok, type Result } from '../shared/result.ts'

/**
 * Returns `tls.crt` and `tls.key` as the CSI driver writes them: all certificates in the order of their file, and the key as PKCS#1 (RSA) or
 * SEC 1 (EC). Both may come from the same file. Unlike the driver, it refuses a key that belongs to none of the certificates, and puts the
 * key's own certificate first, as TLS servers require.
 * @param certificate the file for `tls.crt`, PEM or PKCS#12 without a password
 * @param privateKey the file for `tls.key`, likewise
 */
export async function tlsParts(
  certificate: Uint8Array,
  privateKey: Uint8Array,
): Promise<Result<{ certificate: string; key: string }>> {
  try {
    const { certificates } = await readFile(certificate)
    const { key } = await readFile(privateKey)
    const [first] = certificates
    if (first === undefined) return fail('tls.crt: the object contains no certificate')
    if (key === undefined)
      return fail('tls.key: the object contains no private key; is it exportable, and objectType secret?')
    const owned = first.checkPrivateKey(key) ? certificates : await inOrder({ key, certificates })
    if (owned[0]?.checkPrivateKey(key) !== true)
      return fail('the private key of tls.key belongs to none of the certificates of tls.crt')
    return ok({ certificate: printCertificates(owned), key: printTraditionalKey(key) })
  } catch (cause) {
    return fail(reasonOf(cause))
  }
}

async function readFile(content: Uint8Array): Promise<CertifiedKey> {
  const text = textOf(content)
  if (text?.includes('-----BEGIN ')) return readPem(text)
  return (await import('../shared/render/pkcs12/pkcs12.ts')).readPkcs12(Buffer.from(content))
}

/** Prints the form that OpenSSL and Go call traditional. */
function printTraditionalKey(key: KeyObject): string {
  const kind = key.asymmetricKeyType
  if (kind === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }) as string
  if (kind === 'ec') return key.export({ type: 'sec1', format: 'pem' }) as string
  throw new RenderFailure(`tls.key: a private key of type ${kind} is not supported, only RSA and EC`)
}
