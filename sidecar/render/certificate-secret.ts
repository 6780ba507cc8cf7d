import type { ObjectSpec } from '../../shared/object-spec.ts'
import { inOrder, keyMatches, printCertificates, printPrivateKey, readPem, type CertifiedKey } from './certificates.ts'
import { decodeBase64, decodeSecret } from './decode.ts'
import { reasonOf, RenderFailure } from './rendered.ts'

/** Contents by what follows the object's path: nothing, `.crt` or `.key`. */
export interface Parts {
  files: [suffix: '' | '.crt' | '.key', content: Uint8Array | string][]
  warnings: string[]
}

/** Renders a certificate fetched as a secret: with its private key, where the certificate's policy lets it out. */
export async function certificateSecret(
  spec: ObjectSpec,
  value: string,
  contentType: string | undefined,
): Promise<Parts> {
  const pkcs12 = isPkcs12(contentType)
  checkEncoding(spec, pkcs12)
  const warnings: string[] = []
  if (spec.format === 'pfx' && !pkcs12) warnings.push('it is PEM in the vault, and so is its file, despite format pfx')
  const converted = pkcs12 && spec.format === 'pem'
  const certified = await read(value, pkcs12).catch((cause: unknown) => {
    if (converted || spec.split) throw new RenderFailure(`${reasonOf(cause)}; ${remedy}`)
    warnings.push(`written as it is, but ${reasonOf(cause)}`)
    return undefined
  })
  if (certified) warnings.push(...keyWarnings(certified))
  const whole = converted && certified ? await keyAndCertificates(certified) : decodeSecret(value, spec.encoding)
  return { files: [['', whole], ...(certified && spec.split ? await splitFiles(certified, spec) : [])], warnings }
}

const remedy = 'import the certificate into the vault anew, without a password'

function isPkcs12(contentType: string | undefined): boolean {
  if (contentType === 'application/x-pkcs12') return true
  if (contentType === 'application/x-pem-file') return false
  const shown = contentType ? `"${contentType}"` : 'not set'
  throw new RenderFailure(
    `it belongs to a certificate, but its content type is ${shown}, neither application/x-pem-file nor application/x-pkcs12`,
  )
}

function checkEncoding({ encoding, format }: ObjectSpec, pkcs12: boolean): void {
  if (encoding === 'utf-8' || (pkcs12 && format === 'pfx')) return
  throw new RenderFailure(
    `encoding ${encoding} is not for a secret that belongs to a certificate, unless it is PKCS#12 with format pfx; leave encoding out`,
  )
}

/** node-forge is loaded with the first container. */
async function read(value: string, pkcs12: boolean): Promise<CertifiedKey> {
  const certified = pkcs12 ? await (await import('./pkcs12.ts')).readPkcs12(decodeBase64(value)) : readPem(value)
  if (certified.certificates.length === 0) throw new RenderFailure('it holds no certificate')
  return certified
}

const keyAndCertificates = async (certified: CertifiedKey): Promise<string> =>
  (certified.key ? printPrivateKey(certified.key) : '') + printCertificates(await inOrder(certified))

async function splitFiles(certified: CertifiedKey, { optional }: ObjectSpec): Promise<Parts['files']> {
  const files: Parts['files'] = [['.crt', printCertificates(await inOrder(certified))]]
  if (certified.key) files.push(['.key', printPrivateKey(certified.key)])
  else if (!optional) {
    throw new RenderFailure(
      `split has no .key to write, because ${noKey}; make the key exportable in the certificate's policy, set optional, or leave split out`,
    )
  }
  return files
}

const noKey = "the vault keeps the certificate's private key (it is not exportable)"

function keyWarnings(certified: CertifiedKey): string[] {
  if (certified.key === undefined) return [`certificates only, because ${noKey}`]
  return keyMatches(certified) ? [] : ['its private key belongs to none of its certificates']
}
